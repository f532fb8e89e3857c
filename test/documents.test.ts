import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../src/config/settings.ts';
import { mapLinks } from '../src/packages/docs.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const withoutCode = (text: string) => text.replace(/^```[^\n]*\n[\s\S]*?^```$/gm, '');
const OTHERS = /^(?:\.|node_modules|dist|coverage|results)/;
const documents = markdownIn('');

/** Paths of all documents below a folder, from the root; not those of packages and builds. */
function markdownIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return OTHERS.test(entry.name) ? [] : markdownIn(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** What GitHub makes of a heading: its anchor. */
function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsOf(file: string): Set<string> {
  return new Set(Array.from(withoutCode(read(file)).matchAll(/^#+ (.+)$/gm), ([, heading]) => anchorOf(heading as string)));
}

describe('the documents', () => {
  it('link only to files and sections that exist', () => {
    const dead: string[] = [];
    for (const document of documents) {
      mapLinks(read(document), (link) => {
        const [path = '', anchor] = link.split('#');
        if (/^[a-z]+:/.test(path)) return link;
        const target = path === '' ? document : posix.join(posix.dirname(document), path);
        if (!existsSync(join(ROOT, target)) || (anchor !== undefined && !anchorsOf(target).has(anchor))) dead.push(`${document}: ${link}`);
        return link;
      });
    }
    expect(documents).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'src/README.md']));
    expect(dead).toEqual([]);
  });

  it('name only settings that exist', () => {
    const known = new Set(SETTINGS.flatMap(({ path }) => path.split('.').map((_, i, names) => names.slice(0, i + 1).join('.'))));
    const sections = new Set(Array.from(known, (path) => path.split('.')[0]).filter((section) => section !== 'path'));
    const named = new RegExp(`\`((?:${[...sections].join('|')}|fanout)(?:\\.[a-z]\\w*[a-z0-9])+)\``, 'g');
    // The changelog also says what settings were called.
    const found = documents
      .filter((document) => document !== 'CHANGELOG.md')
      .flatMap((document) => Array.from(read(document).matchAll(named), ([, path]) => ({ document, path: path as string })));
    expect(found.length).toBeGreaterThan(100);
    expect(found.filter(({ path }) => !known.has(path) && !/\.(ts|md|json|yaml|crt|key|pem)$/.test(path))).toEqual([]);
  });
});

describe('README.md', () => {
  it('is short: 150 lines at most', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150);
  });

  it('shows the two commands on its first screen', () => {
    const screen = read('README.md').split('\n').slice(0, 30).join('\n');
    expect(screen).toContain('npm ci && npm start');
    expect(screen).toContain('npm ci && npm test');
  });

  it('links to every page of src, directly or through one that it links to', () => {
    const reached = new Set(['README.md']);
    for (const document of reached) {
      mapLinks(read(document), (link) => {
        const target = posix.join(posix.dirname(document), link.split('#')[0] as string);
        if (documents.includes(target)) reached.add(target);
        return link;
      });
    }
    expect(documents.filter((document) => document.startsWith('src/') && !reached.has(document))).toEqual([]);
  });
});

describe('src/README.md', () => {
  const page = read('src/README.md');

  it('describes every folder of src, and no other', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const listed = Array.from(page.matchAll(/^\| (?:\[`(\w+)\/`\]|`(\w+)\/`)/gm), ([, linked, plain]) => linked ?? plain);
    expect(listed.toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
  });

  it('names only files that exist', () => {
    const named = Array.from(page.matchAll(/`((?:\w[\w-]*\/)+(?:[\w-]+\.\w+)?|[\w-]+\.ts)`/g), ([, path]) => path as string);
    expect(named.length).toBeGreaterThan(60);
    expect(named.filter((path) => !existsSync(join(ROOT, 'src', path)) && !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
