import { readFile } from 'node:fs/promises';
import type { Answer } from './answer.ts';

const FILES = [
  { path: '/', file: 'index.html', contentType: 'text/html; charset=utf-8' },
  { path: '/page.js', file: 'page.js', contentType: 'text/javascript; charset=utf-8' },
  { path: '/help.html', file: 'help.html', contentType: 'text/html; charset=utf-8' },
  { path: '/style.css', file: 'style.css', contentType: 'text/css; charset=utf-8' },
] as const;

/** The page may run only its own script, connect only to its own server, and not be embedded in a frame. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
};

/** `npm run build` creates the page. When the node runs from src, it serves the built page too. */
const BUILT = new URL('../../dist/http/page/', import.meta.url);

/**
 * The files of the operator's page, by path. They contain no data: the page fetches it from the API. Without a build there is no page, and the node still runs.
 */
export async function readPage(): Promise<ReadonlyMap<string, Answer>> {
  const pages = await Promise.all(
    FILES.map(async ({ path, file, contentType }) => {
      const body = await readFile(new URL(file, BUILT)).catch(() => undefined);
      return body === undefined ? [] : [[path, { status: 200, headers: { ...HEADERS, 'Content-Type': contentType }, body }] as const];
    }),
  );
  return new Map(pages.flat());
}
