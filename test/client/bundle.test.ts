import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { bundleClient } from '../../src/packages/bundle-client.mjs';

it('weighs 16.7 KB gzipped at most, without the MessagePack library', async () => {
  const { code, gzippedBytes } = await bundleClient(['msgpackr/*']);
  expect(gzippedBytes).toBeLessThanOrEqual(16_760);
  expect(Buffer.from(code).includes('from"msgpackr/pack"')).toBe(true);
});

it('has the size that its guide states, within a KB', async () => {
  const guide = readFileSync(new URL('../../src/client/README.md', import.meta.url), 'utf8');
  const [, whole, own] = /\| ([\d.]+) KB, of which the MessagePack library [\d.]+; the SDK itself ([\d.]+) KB \|/.exec(guide) ?? [];
  const [wholeBytes, ownBytes] = await Promise.all([bundleClient(), bundleClient(['msgpackr/*'])]);
  expect(Math.abs(wholeBytes.gzippedBytes - Number(whole) * 1000)).toBeLessThan(1000);
  expect(Math.abs(ownBytes.gzippedBytes - Number(own) * 1000)).toBeLessThan(1000);
});

it('is whole in one file for browsers, and leaves Node’s parts out', async () => {
  const text = Buffer.from((await bundleClient()).code).toString();
  const imports = [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(([, name]) => name);
  expect(imports).toEqual(['ws']);
  expect(text.includes('node:')).toBe(false);
});

it('leaves out of a bundle what the bundle does not use', async () => {
  const { outputFiles } = await build({
    stdin: { contents: "export { CommandError } from './src/client/index.ts'", resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    external: ['ws'],
    write: false,
  });
  expect(outputFiles[0]?.contents.length).toBeLessThan(2000);
});
