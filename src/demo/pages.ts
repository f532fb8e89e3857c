import { readFile } from 'node:fs/promises';

/** A file that is served over plain HTTP beside the WebSocket endpoint. */
export interface DemoPage {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

const FILES = [
  { path: '/', file: 'page/index.html', contentType: HTML },
  { path: '/page.js', file: 'page/page.js', contentType: SCRIPT },
  { path: '/style.css', file: 'page/style.css', contentType: STYLE },
  { path: '/chat', file: 'chat/index.html', contentType: HTML },
  { path: '/chat.js', file: 'chat/page.js', contentType: SCRIPT },
  { path: '/chat.css', file: 'chat/style.css', contentType: STYLE },
] as const;

/** `npm run build` creates the pages. When the node runs from src, it serves the built pages too. */
const BUILT = new URL('../../dist/demo/', import.meta.url);

/**
 * The demo pages, configured to connect to the WebSocket endpoint of this node.
 *
 * @throws Error with code `page_missing` if there is no build
 */
export async function readDemoPages(endpointPath: string): Promise<DemoPage[]> {
  try {
    const files = FILES.map(async ({ path, file, contentType }) => {
      const body = await readFile(new URL(file, BUILT));
      return { path, contentType, body: contentType === HTML ? withEndpoint(body, endpointPath) : body };
    });
    return await Promise.all(files);
  } catch (cause) {
    throw Object.assign(new Error('the demo pages are not built: npm run build', { cause }), { code: 'page_missing' });
  }
}

/** The page knows only its host, and only the node knows the path. */
function withEndpoint(html: Buffer, path: string): Buffer {
  const escaped = path.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  const meta = '<meta name="stentor-path" content="/ws" />';
  return Buffer.from(html.toString().replace(meta, () => `<meta name="stentor-path" content="${escaped}" />`));
}
