import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadUws } from '../../src/transport/uws.ts';
import { assertKnownBinary } from '../../src/transport/uws-binary.ts';
import { UWS_CHECKSUMS } from '../../src/transport/uws-checksums.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as Record<'dependencies' | 'devDependencies', Readonly<Record<string, string>>>;

function listed(heading: string): string[] {
  const [section = ''] = read('src/packages/DEPENDENCIES.md').split(`## ${heading}\n`)[1]?.split('\n## ') ?? [];
  return Array.from(section.matchAll(/^\| `([^`]+)` \|/gm), ([, name = '']) => name);
}

describe('DEPENDENCIES.md', () => {
  it.each([
    ['Of a running node', manifest.dependencies],
    ['Only to build and test', manifest.devDependencies],
  ])('says what each package is for: %s', (heading, dependencies) => {
    expect(listed(heading).sort()).toEqual(Object.keys(dependencies).sort());
  });
});

describe('the binaries of uWebSockets.js', () => {
  it.each(Object.entries(UWS_CHECKSUMS))('in %s are those whose checksums are kept, in a version that is fixed', (name, checksums) => {
    const { version } = JSON.parse(read(`node_modules/${name}/package.json`)) as { readonly version: string };
    expect(manifest.dependencies[name]).toBe(version);
    const folder = join(ROOT, 'node_modules', name);
    const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.node'));
    const sums = found.map((path) => [
      path,
      createHash('sha256')
        .update(readFileSync(join(folder, path)))
        .digest('hex'),
    ]);
    expect(Object.fromEntries(sums)).toEqual(checksums);
  });

  it('are not loaded if they are others', async () => {
    const { source } = await loadUws();
    const [path = ''] = Object.keys(UWS_CHECKSUMS[source] ?? {}).filter((each) =>
      each.endsWith(`uws_${process.platform}_${process.arch}_${process.versions.modules}.node`),
    );
    const checksums = { [source]: { [path]: 'f'.repeat(64) } };
    expect(() => assertKnownBinary(source, checksums)).toThrow(/is not the binary that this version was made with/);
    await expect(loadUws({ candidates: [source], checksums })).rejects.toThrow(`${source}: ${path} is not the binary`);
  });

  it('are not checked where an operator has installed the package by hand', () => {
    expect(() => assertKnownBinary('uWebSockets.js')).not.toThrow();
  });
});
