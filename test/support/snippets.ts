import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format } from 'node:util';

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

/** Below the repository's root, where packages are found; git leaves it out. */
const FOLDER = resolve(import.meta.dirname, '../../node_modules');

/**
 * Runs a snippet as it stands but for some names: imports and addresses that are others here.
 * @returns what it exports, and what it has printed: texts as they are, anything else as JSON
 */
export async function runSnippet(
  { code }: Snippet,
  names: Readonly<Record<string, string>>,
): Promise<{ exports: Record<string, unknown>; printed: string[] }> {
  let run = code;
  for (const [name, here] of Object.entries(names)) run = run.replaceAll(name, here);
  const folder = mkdtempSync(join(FOLDER, '.snippet-'));
  const printed: string[] = [];
  const { log } = console;
  console.log = (...values: unknown[]) => {
    printed.push(format(...values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))));
  };
  try {
    const file = join(folder, 'snippet.mjs');
    writeFileSync(file, run);
    return { exports: await import(/* @vite-ignore */ pathToFileURL(file).href), printed };
  } finally {
    console.log = log;
    rmSync(folder, { recursive: true, force: true });
  }
}
