import { readFile } from 'node:fs/promises';

/** A file served over plain HTTP beside the WebSocket endpoint. */
export interface DemoPage {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

const FILES = [
  { path: '/', file: 'index.html', contentType: 'text/html; charset=utf-8' },
  { path: '/page.js', file: 'page.js', contentType: 'text/javascript; charset=utf-8' },
  { path: '/style.css', file: 'style.css', contentType: 'text/css; charset=utf-8' },
] as const;

export function readDemoPages(): Promise<DemoPage[]> {
  return Promise.all(
    FILES.map(async ({ path, file, contentType }) => ({
      path,
      contentType,
      body: await readFile(new URL(`./page/${file}`, import.meta.url)),
    })),
  );
}
