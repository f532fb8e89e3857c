import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE_IMPORT = /(\bfrom\s+|\bimport\(\s*)(['"])(\.[^'"]+)\.ts\2/g;

/**
 * Makes declarations import `./x.js`. The compiler rewrites `./x.ts` in code only. Some versions of TypeScript and some modes of resolution do not find
 * `./x.ts` in declarations.
 *
 * @param {string} folder all `.d.ts` files in it, and in its subfolders
 */
export function rewriteDeclarations(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const path = join(folder, name);
    writeFileSync(path, readFileSync(path, 'utf8').replace(SOURCE_IMPORT, '$1$2$3.js$2'));
  }
}
