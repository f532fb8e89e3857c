import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The cases with the SDK, as one file. For Node, `ws` and msgpackr stay what they are there: packages. */
export async function bundleCases(place: 'node' | 'browser'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`./cases/${place}-main.ts`, import.meta.url))],
    bundle: true,
    format: 'esm',
    platform: place,
    target: 'es2022',
    external: place === 'node' ? ['ws', 'msgpackr/*'] : ['ws'],
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0]?.text as string;
}
