import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format } from 'node:util';
import { build } from 'esbuild';

/** A program out of a document, and what it says of itself: `console.log(…); // → what it prints`. */
export interface Snippet {
  readonly line: number;
  readonly code: string;
  readonly prints: readonly string[];
}

/** The JavaScript blocks of a Markdown file that are whole programs or modules: those with an import or an export. */
export function readSnippets(file: string): Snippet[] {
  const text = readFileSync(file, 'utf8');
  return Array.from(text.matchAll(/^```js\n([\s\S]*?)^```$/gm), ({ 1: code = '', index }) => ({
    line: text.slice(0, index).split('\n').length + 1,
    code,
    prints: Array.from(code.matchAll(/\/\/ → (.*)$/gm), ([, printed = '']) => printed),
  })).filter(({ code }) => /^(?:import|export) /m.test(code));
}

/** Below the repository's root, so that packages are found; git leaves it out. */
const FOLDER = resolve(import.meta.dirname, '../../.cache/snippets');
const CLIENT = resolve(import.meta.dirname, '../../src/client/index.ts');
const CALLS = resolve(import.meta.dirname, '../../src/client/calls.ts');
const DOCUMENT = resolve(import.meta.dirname, '../../src/client/document.ts');
const EVENTS = resolve(import.meta.dirname, '../../src/client/events.ts');
const PRESENCE = resolve(import.meta.dirname, '../../src/client/presence.ts');
const USERS = resolve(import.meta.dirname, '../../src/client/users.ts');

/**
 * Runs a snippet as it stands, with the SDK as it is in src, and addresses that are others here.
 * @returns what it exports, and what it has printed: texts as they are, anything else as JSON
 */
export async function runSnippet(
  { code, line }: Snippet,
  addresses: Readonly<Record<string, string>>,
): Promise<{ readonly exports: Record<string, unknown>; readonly printed: readonly string[] }> {
  let contents = code;
  for (const [address, here] of Object.entries(addresses)) contents = contents.replaceAll(address, here);
  const outfile = join(FOLDER, `${process.pid}-${line}.mjs`);
  await build({
    stdin: { contents, resolveDir: FOLDER },
    alias: {
      '@stentor-broadcast/client': CLIENT,
      '@stentor-broadcast/client/calls': CALLS,
      '@stentor-broadcast/client/document': DOCUMENT,
      '@stentor-broadcast/client/events': EVENTS,
      '@stentor-broadcast/client/presence': PRESENCE,
      '@stentor-broadcast/client/users': USERS,
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['ws', 'socket.io', 'msgpackr/*', '@nats-io/*'],
    outfile,
    logLevel: 'warning',
  });
  const printed: string[] = [];
  const { log } = console;
  console.log = (...values: unknown[]) => {
    printed.push(format(...values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))));
  };
  try {
    return { exports: await import(/* @vite-ignore */ pathToFileURL(outfile).href), printed };
  } finally {
    console.log = log;
    rmSync(outfile);
  }
}
