import type { Page } from '../link/messages.ts';
import type { Gate } from './gate.ts';
import type { HttpResponse, UwsApp } from './uws.ts';

/** What is no upgrade. Every answer ends its connection: one that is kept alive would hold its descriptor as long as it likes. */
export function routeHttp(app: UwsApp, path: string, pages: readonly Page[], gate: Gate): void {
  const answer = (res: HttpResponse, status: string, text: string) => {
    gate.requested(res);
    res.writeStatus(status).end(text, true);
  };
  for (const page of pages) {
    app.get(page.path, (res) => {
      gate.requested(res);
      res.writeHeader('Content-Type', page.contentType).writeHeader('Cache-Control', 'no-cache').end(page.body, true);
    });
  }
  app.get(path, (res) => answer(res, '426 Upgrade Required', 'this is a WebSocket endpoint'));
  app.any('/*', (res) => answer(res, '404 Not Found', 'not found'));
}
