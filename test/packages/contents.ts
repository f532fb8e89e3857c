import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { describe, expect, it } from 'vitest';
import { mapLinks } from '../../src/packages/docs.mjs';
import { CLIENT, type Packages, type Packed, ROOT, SERVER } from './pack.ts';

const text = ({ folder }: Packed, file: string) => readFileSync(join(folder, file), 'utf8');
const ending = ({ files }: Packed, end: string) => files.filter((file) => file.endsWith(end));

/** What is in the tarballs. */
export function contentCases(packed: Packages): void {
  describe.each(['server', 'client'] as const)('the %s’s package, made by npm pack in a fresh clone', (name) => {
    it('has its code, its licence and its documents, and nothing of the tests', () => {
      const { files, manifest } = packed[name];
      const wanted = {
        server: [
          'dist/index.js',
          'dist/index.d.ts',
          'dist/cli/main.js',
          'dist/worker/main.js',
          'dist/http/page/index.html',
          'src/OPERATING.md',
        ],
        client: [
          'dist/client/index.js',
          'dist/client/index.d.ts',
          'dist/client/document.js',
          'dist/client/document.d.ts',
          'dist/client/events.js',
          'dist/client/events.d.ts',
          'dist/client/users.js',
          'dist/client/sse.js',
          'dist/client/sse.d.ts',
          'dist/client/users.d.ts',
          'stentor.min.js',
          'stentor.min.js.map',
          'MIGRATION.md',
          'PROTOCOL.md',
        ],
      };
      for (const file of [...wanted[name], 'LICENSE', 'README.md', 'package.json']) expect(files).toContain(file);
      expect(files.filter((file) => /^(test|loadtest|node_modules|dist\/packages)\/|\.tgz$|\.env/.test(file))).toEqual([]);
      expect(manifest.name).toBe({ server: SERVER, client: CLIENT }[name]);
    });

    it('has a description and a repository', () => {
      const { manifest } = packed[name];
      expect(manifest).toMatchObject({
        license: 'Apache-2.0',
        type: 'module',
        engines: { node: '>=20.19.0' },
        publishConfig: { access: 'public' },
      });
      expect(manifest.repository.url).toMatch(/^git\+https:\/\/\S+\.git$/);
      expect(manifest.keywords.length).toBeGreaterThan(5);
      expect(manifest.version).toBe(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version);
    });

    it('has nothing that publint would have otherwise', async () => {
      const { tarball, manifest } = packed[name];
      const { messages } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer } });
      expect(messages.map((message) => formatMessage(message, manifest))).toEqual([]);
    });

    it('has types that are found, and right, in every kind of resolution', async () => {
      const analysis = await checkPackage(createPackageFromTarballData(packed[name].tarball));
      if (!('problems' in analysis)) throw new Error('no types');
      // Node 20.19 and newer load an ES module by require(); TypeScript knows it from 5.8 on, in `nodenext`.
      expect(analysis.problems.filter(({ kind }) => kind !== 'CJSResolvesToESM')).toEqual([]);
    });

    it('imports nothing that it does not depend on', () => {
      const { manifest } = packed[name];
      const allowed = new Set([...builtinModules, ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })]);
      // Found by a search of their own, which says what to install.
      if (name === 'server') allowed.add('uWebSockets.js');
      const strange: string[] = [];
      for (const file of [...ending(packed[name], '.js'), ...ending(packed[name], '.d.ts')]) {
        if (file.includes('/page/') || file.includes('.min.')) continue;
        for (const imported of importsOf(text(packed[name], file))) {
          if (imported.startsWith('.')) {
            const target = posix.join(posix.dirname(file), imported);
            const wanted = file.endsWith('.d.ts') ? target.replace(/\.js$/, '.d.ts') : target;
            if (!packed[name].files.includes(wanted)) strange.push(`${file}: ${imported}`);
          } else if (!allowed.has(packageOf(imported))) strange.push(`${file}: ${imported}`);
        }
      }
      expect(strange).toEqual([]);
    });

    it('has source maps that point to files in it, or carry the text of others’', () => {
      const maps = ending(packed[name], '.js.map');
      expect(maps.length).toBeGreaterThan(20);
      const lost: string[] = [];
      for (const file of maps) {
        const { sources, sourcesContent = [] } = JSON.parse(text(packed[name], file)) as {
          sources: string[];
          sourcesContent?: (string | null)[];
        };
        for (const [i, source] of sources.entries()) {
          const isOurs = !source.includes('node_modules/');
          const isThere = isOurs
            ? packed[name].files.includes(posix.join(posix.dirname(file), source))
            : typeof sourcesContent[i] === 'string';
          if (!isThere) lost.push(`${file}: ${source}`);
        }
      }
      expect(lost).toEqual([]);
      for (const file of ending(packed[name], '.js')) {
        const [, map] = /\/\/# sourceMappingURL=(\S+)/.exec(text(packed[name], file)) ?? [];
        if (map !== undefined) expect(packed[name].files).toContain(posix.join(posix.dirname(file), map));
      }
    });

    it('has documents whose links lead to files in it', () => {
      const { folder } = packed[name];
      const dead: string[] = [];
      for (const file of ending(packed[name], '.md')) {
        mapLinks(text(packed[name], file), (link) => {
          const [target = ''] = link.split('#');
          if (target !== '' && !/^[a-z]+:/.test(target) && !existsSync(join(folder, dirname(file), target))) dead.push(`${file}: ${link}`);
          return link;
        });
      }
      expect(dead).toEqual([]);
    });

    it('uses no name of another package', () => {
      const others =
        /(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"]stentor(?:\/[^'"]*)?['"]|npm (?:i|install|add)(?: -\S+)* stentor\b|npx stentor\b/;
      const texts = packed[name].files.filter((file) => /\.(md|ts|js|json|ya?ml)$/.test(file));
      expect(texts.filter((file) => others.test(text(packed[name], file)))).toEqual([]);
    });

    it('has the licences of all packages whose code is in its bundles', () => {
      const licences = text(packed[name], name === 'server' ? 'dist/THIRD-PARTY-LICENSES.txt' : 'THIRD-PARTY-LICENSES.txt');
      const bundle = name === 'server' ? 'dist/worker/main.js.map' : 'stentor.min.js.map';
      const { sources } = JSON.parse(text(packed[name], bundle)) as { sources: string[] };
      const bundled = new Set(
        sources.flatMap((source) => (source.includes('node_modules/') ? [packageOf(source.split('node_modules/').at(-1) as string)] : [])),
      );
      expect([...bundled].sort()).toEqual(name === 'server' ? expect.arrayContaining(['jose', 'typebox']) : ['msgpackr']);
      if (name === 'server') bundled.add('uplot');
      for (const other of bundled) expect(licences).toMatch(new RegExp(`^${other} [\\d.]+ \\(.+\\)$`, 'm'));
      expect(licences.match(/Permission is hereby granted/g)?.length).toBeGreaterThanOrEqual(bundled.size);
    });
  });
}

function importsOf(code: string): string[] {
  return Array.from(
    code.matchAll(/^\s*(?:import|export)\s[^'";]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|^import\s*['"]([^'"]+)['"]/gm),
    (match) => (match[1] ?? match[2] ?? match[3]) as string,
  );
}

function packageOf(path: string): string {
  const [first = '', second = ''] = path.replace(/^node:/, '').split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}
