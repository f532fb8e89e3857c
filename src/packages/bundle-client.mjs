import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/**
 * The SDK as one file, for `<script type="module">`.
 *
 * @param {readonly string[]} leftOut packages that stay imports
 * @returns {Promise<{ code: Uint8Array, sourceMap: string, gzippedBytes: number, metafile: import('esbuild').Metafile }>} the source map names files as they
 *   lie in the package: `src/client/index.ts`
 */
export async function bundleClient(leftOut = []) {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../client/index.ts', import.meta.url))],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // `ws` is loaded only if there is no WebSocket: in Node.
    external: ['ws', ...leftOut],
    sourcemap: 'linked',
    metafile: true,
    outfile: fileURLToPath(new URL('../../stentor.min.js', import.meta.url)),
    write: false,
    legalComments: 'none',
    logLevel: 'warning',
  });
  const [sourceMap, code] = outputFiles;
  return { code: code.contents, sourceMap: sourceMap.text, gzippedBytes: gzipSync(code.contents, { level: 9 }).length, metafile };
}
