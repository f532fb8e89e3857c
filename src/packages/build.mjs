import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePages, bundleWorker } from './bundle-server.mjs';
import { makeClientPackage } from './client-package.mjs';
import { rewriteDeclarations } from './declarations.mjs';
import { makeHelpPage } from './help-page.mjs';
import { bundledLicenses } from './licenses.mjs';

/**
 * The part of `npm run build` after the compiler: bundles the worker and the pages, and creates the SDK's package. The root is the server's package,
 * `dist/packages/client` the client's: `npm pack && npm pack ./dist/packages/client` creates both tarballs.
 */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
process.chdir(ROOT);

rewriteDeclarations(join(ROOT, 'dist'));
// Before the worker is bundled, because the SDK's files are used as compiled.
const weight = await makeClientPackage(ROOT);
makeHelpPage(ROOT);
const metafiles = [await bundleWorker(), await bundlePages()];
writeFileSync(join(ROOT, 'dist/THIRD-PARTY-LICENSES.txt'), bundledLicenses(ROOT, metafiles));
process.stdout.write(`dist/packages/client/${weight}\n`);
