import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePages, bundleWorker } from './bundle-server.mjs';
import { makeClientPackage } from './client-package.mjs';
import { rewriteDeclarations } from './declarations.mjs';
import { bundledLicenses } from './licenses.mjs';

/**
 * What `npm run build` does after the compiler: bundles the worker and the pages, and makes the SDK's package. The root is the server's package,
 * `dist/packages/client` the client's: `npm pack && npm pack ./dist/packages/client` makes both tarballs.
 */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
process.chdir(ROOT);

rewriteDeclarations(join(ROOT, 'dist'));
// Before the worker is: the SDK's files are taken as the compiler made them.
const weight = await makeClientPackage(ROOT);
const metafiles = [await bundleWorker(), await bundlePages()];
writeFileSync(join(ROOT, 'dist/THIRD-PARTY-LICENSES.txt'), bundledLicenses(ROOT, metafiles));
process.stdout.write(`dist/packages/client/${weight}\n`);
