import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE_IMPORT = /(\bfrom\s+|\bimport\(\s*)(['"])(\.[^'"]+)\.ts\2/g;

/**
 * Makes declarations import `./x.js`. The compiler rewrites `./x.ts` in code only; in declarations not every version of TypeScript and not every mode of
 * resolution finds it.
 *
 * @param {string} folder all `.d.ts` files in it, deeper ones too
 */
export function rewriteDeclarations(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const path = join(folder, name);
    writeFileSync(path, readFileSync(path, 'utf8').replace(SOURCE_IMPORT, '$1$2$3.js$2'));
  }
}
