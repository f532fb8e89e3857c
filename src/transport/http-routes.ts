import type { Page } from '../link/messages.ts';
import type { Gate } from './gate.ts';
import type { HttpRequests } from './http-requests.ts';
import type { ClientEvents } from './transport.ts';
import type { HttpRequest, HttpResponse, UwsApp } from './uws.ts';

export interface HttpRoutes {
  /** Path of the WebSocket endpoint. */
  readonly path: string;
  readonly pages: readonly Page[];
  readonly gate: Gate;
  readonly requests: HttpRequests;
  readonly clients: Pick<ClientEvents<never>, 'refused'>;
}

/** Requests without an upgrade. Every answer ends its connection: a connection that is kept alive would use its descriptor for as long as the client wants. */
export function routeHttp(app: UwsApp, { path, pages, gate, requests, clients }: HttpRoutes): void {
  const answer = (res: HttpResponse, req: HttpRequest, status: string, text: string) => {
    gate.requested(res);
    clients.refused({ status, why: text, path: req.getUrl() });
    res.writeStatus(status).end(text, true);
  };
  for (const page of pages) {
    app.get(page.path, (res) => {
      gate.requested(res);
      res.writeHeader('Content-Type', page.contentType).writeHeader('Cache-Control', 'no-cache').end(page.body, true);
    });
  }
  requests.route(app);
  app.get(path, (res, req) => answer(res, req, '426 Upgrade Required', 'this is a WebSocket endpoint'));
  app.any('/*', (res, req) => answer(res, req, '404 Not Found', 'not found'));
}
