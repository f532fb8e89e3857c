import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { FURTHER_ENTRIES } from './client-package.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Bundles a worker process into one file, in place of the compiled one: its 780 modules take 0.6 s to load on an idle core, the one file 0.2 s.
 * @returns {Promise<import('esbuild').Metafile>}
 */
export async function bundleWorker() {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['dist/worker/main.js'],
    outfile: 'dist/worker/main.js',
    allowOverwrite: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['msgpackr', 'pino', 'pino-pretty', 'prom-client'],
    keepNames: true,
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

/**
 * The pages that a node serves: three folders of `src`. The chat sample imports the SDK by its public names, as an application does.
 * @returns {Promise<import('esbuild').Metafile>}
 */
export async function bundlePages() {
  const folders = ['src/http/page', 'src/demo/page', 'src/demo/chat'];
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: folders.flatMap((folder) => ['index.html', 'page.ts', 'style.css'].map((file) => `${folder}/${file}`)),
    alias: Object.fromEntries(
      ['', ...FURTHER_ENTRIES.map((entry) => `/${entry}`)].map((path) => [
        `@stentor-broadcast/client${path}`,
        `./src/client${path || '/index'}.ts`,
      ]),
    ),
    outbase: 'src',
    outdir: 'dist',
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    loader: { '.html': 'copy' },
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}
