import type { Page } from '../link/messages.ts';
import type { EventStreams } from './event-streams.ts';
import type { Gate } from './gate.ts';
import type { HttpRequests } from './http-requests.ts';
import type { ClientEvents } from './transport.ts';
import type { HttpRequest, HttpResponse, UwsApp } from './uws.ts';

/** What is answered to `GET path`, from its query. */
export interface DynamicPage {
  readonly path: string;
  answer(query: string | undefined): Promise<{ readonly status: string; readonly contentType: string; readonly body: string }>;
}

export interface HttpRoutes {
  /** Path of the WebSocket endpoint. */
  readonly path: string;
  readonly pages: readonly Page[];
  readonly dynamicPages: readonly DynamicPage[];
  readonly gate: Gate;
  readonly requests: HttpRequests;
  readonly streams: Pick<EventStreams<never, never>, 'route'>;
  readonly clients: Pick<ClientEvents<never>, 'refused'>;
  /** Why a request is refused for its connection, whatever it asks for; undefined: it is not. */
  readonly flawOfConnection: (res: HttpResponse) => string | undefined;
  /** Clients reach this node by TLS. */
  readonly isSecure: boolean;
}

/** Pages run only their own scripts, connect to WebSockets and to their own server, and are not embedded in a frame. */
const PAGE_HEADERS: readonly (readonly [string, string])[] = [
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
];
/** Browsers use only TLS for this host from then on. */
const ONLY_TLS: readonly [string, string] = ['Strict-Transport-Security', 'max-age=31536000'];

/** Requests without an upgrade. Every answer ends its connection: a connection that is kept alive would use its descriptor for as long as the client wants. */
export function routeHttp(
  app: UwsApp,
  { path, pages, dynamicPages, gate, requests, streams, clients, flawOfConnection, isSecure }: HttpRoutes,
): void {
  const pageHeaders = isSecure ? [...PAGE_HEADERS, ONLY_TLS] : PAGE_HEADERS;
  const answer = (res: HttpResponse, req: HttpRequest, status: string, text: string) => {
    gate.requested(res);
    clients.refused({ status, why: text, path: req.getUrl() });
    res.writeStatus(status).end(text, true);
  };
  for (const page of pages) {
    app.get(page.path, (res, req) => {
      const flaw = flawOfConnection(res);
      if (flaw !== undefined) return answer(res, req, '403 Forbidden', flaw);
      gate.requested(res);
      res.writeHeader('Content-Type', page.contentType).writeHeader('Cache-Control', 'no-cache');
      for (const [name, value] of pageHeaders) res.writeHeader(name, value);
      res.end(page.body, true);
    });
  }
  requests.route(app);
  streams.route(app);
  for (const page of dynamicPages) {
    app.get(page.path, (res, req) => {
      const flaw = flawOfConnection(res);
      if (flaw !== undefined) return answer(res, req, '403 Forbidden', flaw);
      gate.requested(res);
      let open = true;
      res.onAborted(() => {
        open = false;
      });
      const end = (status: string, contentType: string, body: string) => {
        if (!open) return;
        res.cork(() => {
          res.writeStatus(status).writeHeader('Content-Type', contentType).writeHeader('Cache-Control', 'no-store');
          for (const [name, value] of pageHeaders) res.writeHeader(name, value);
          res.end(body, true);
        });
      };
      page.answer(req.getQuery()).then(
        ({ status, contentType, body }) => end(status, contentType, body),
        () => end('500 Internal Server Error', 'text/plain', 'failed'),
      );
    });
  }
  app.get(path, (res, req) => answer(res, req, '426 Upgrade Required', 'this is a WebSocket endpoint'));
  app.any('/*', (res, req) => answer(res, req, '404 Not Found', 'not found'));
}
