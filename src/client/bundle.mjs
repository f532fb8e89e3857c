import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Part of `npm run build`, not of the SDK: makes the SDK one file for `<script type="module">`, and says what it weighs. */

const BUNDLE = fileURLToPath(new URL('../../dist/client/stentor.min.js', import.meta.url));

/**
 * @param {readonly string[]} leftOut packages that stay imports
 * @returns {Promise<{ code: Uint8Array, sourceMap: Uint8Array, gzippedBytes: number }>}
 */
export async function bundleClient(leftOut = []) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./index.ts', import.meta.url))],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // `ws` is loaded where there is no WebSocket: in Node only.
    external: ['ws', ...leftOut],
    sourcemap: 'linked',
    outfile: BUNDLE,
    write: false,
    legalComments: 'none',
    logLevel: 'warning',
  });
  const [sourceMap, code] = outputFiles.map(({ contents }) => contents);
  return { code, sourceMap, gzippedBytes: gzipSync(code, { level: 9 }).length };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const whole = await bundleClient();
  const own = await bundleClient(['msgpackr/*']);
  mkdirSync(dirname(BUNDLE), { recursive: true });
  writeFileSync(BUNDLE, whole.code);
  writeFileSync(`${BUNDLE}.map`, whole.sourceMap);
  process.stdout.write(
    `dist/client/stentor.min.js: ${whole.gzippedBytes} bytes gzipped (${whole.code.length} as it is), ${own.gzippedBytes} (${own.code.length}) without the MessagePack library\n`,
  );
}
