import { readFile } from 'node:fs/promises';

/** A file that is served over plain HTTP beside the WebSocket endpoint. */
export interface DemoPage {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

const FILES = [
  { path: '/page.js', file: 'page.js', contentType: 'text/javascript; charset=utf-8' },
  { path: '/style.css', file: 'style.css', contentType: 'text/css; charset=utf-8' },
] as const;

/** `npm run build` creates the page. When the node runs from src, it serves the built page too. */
const BUILT = new URL('../../dist/demo/page/', import.meta.url);

/**
 * The demo page, configured to connect to the WebSocket endpoint of this node.
 *
 * @throws Error with code `page_missing` if there is no build
 */
export async function readDemoPages(endpointPath: string): Promise<DemoPage[]> {
  try {
    const html = await readFile(new URL('index.html', BUILT), 'utf8');
    const files = FILES.map(async ({ path, file, contentType }) => ({ path, contentType, body: await readFile(new URL(file, BUILT)) }));
    return [
      { path: '/', contentType: 'text/html; charset=utf-8', body: Buffer.from(withEndpoint(html, endpointPath)) },
      ...(await Promise.all(files)),
    ];
  } catch (cause) {
    throw Object.assign(new Error('the demo page is not built: npm run build', { cause }), { code: 'page_missing' });
  }
}

/** The page knows only its host, and only the node knows the path. */
function withEndpoint(html: string, path: string): string {
  const escaped = path.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  return html.replace('<meta name="stentor-path" content="/ws" />', () => `<meta name="stentor-path" content="${escaped}" />`);
}
