import type { Config } from '../config/schema.ts';
import type { Headers } from './cors.ts';
import type { Gate } from './gate.ts';
import { endPreflight, refusal, statusLine, writeHead } from './http-answer.ts';
import { type Flaw, flawOfOrigin, flawOfRequest, type RequestChecks } from './request-flaw.ts';
import type { ClientEvents } from './transport.ts';
import { tokenOf } from './upgrade.ts';
import type { HttpRequest, HttpResponse, UwsApp } from './uws.ts';

export interface HttpDoorOptions extends RequestChecks {
  readonly config: { readonly auth: Pick<Config['auth'], 'allowQueryToken'> };
  readonly gate: Pick<Gate, 'requested'>;
  readonly clients: Pick<ClientEvents<never>, 'whyUnavailable' | 'flawOf' | 'refused'>;
  readonly metrics: HttpMetrics;
}

export interface HttpMetrics {
  /** @param route the path, or `other` */
  answered(route: string, status: number): void;
}

/** What is read of each request. */
export interface Asked {
  readonly path: string;
  readonly origin: string;
  readonly query: string;
  readonly token: string | undefined;
  /** It has a token only in the query, and that does not count. */
  readonly isTokenUnread: boolean;
}

/** Such a client would otherwise be served as an anonymous one, or be told that it has no token. */
const TOKEN_UNREAD: Flaw = {
  code: 'unauthorized',
  message: 'a token in the query needs auth.allowQueryToken: true on the server; otherwise send it in the header Authorization: Bearer',
};

/** What the paths for requests of clients have in common: how requests are read and refused, preflights, and other methods. */
export class HttpDoor {
  readonly #options: HttpDoorOptions;

  constructor(options: HttpDoorOptions) {
    this.#options = options;
  }

  /** Answers what comes with another method than that of the path. */
  routeOthers(app: UwsApp, path: string, method: 'GET' | 'POST'): void {
    const { gate, origins } = this.#options;
    app.options(path, (res, req) => {
      gate.requested(res);
      const asked = this.read(path, req);
      const foreign = flawOfOrigin(this.#options, asked.origin);
      if (foreign !== undefined) return this.refuse(res, asked, foreign);
      endPreflight(res, origins.preflight(asked.origin, method));
    });
    app.any(path, (res, req) => {
      gate.requested(res);
      this.refuse(res, this.read(path, req), { code: 'bad_method', message: `expected ${method}` }, { Allow: `${method}, OPTIONS` });
    });
  }

  read(path: string, req: HttpRequest): Asked {
    const token = tokenOf(req, this.#options.config);
    const isTokenUnread = token === undefined && !this.#options.config.auth.allowQueryToken && Boolean(req.getQuery('token'));
    return { path, origin: req.getHeader('origin'), query: req.getQuery() ?? '', token, isTokenUnread };
  }

  flawOf(res: HttpResponse, asked: Asked): Flaw | undefined {
    const flaw = flawOfRequest(this.#options, res, asked);
    return flaw ?? (asked.isTokenUnread ? TOKEN_UNREAD : undefined);
  }

  refuse(res: HttpResponse, { path, origin }: Asked, flaw: Flaw, more: Headers = {}): void {
    const { clients, metrics } = this.#options;
    const { status, headers, body } = refusal(flaw.code, flaw.message, flaw);
    clients.refused({ status: statusLine(status), why: flaw.message, path, ...(origin !== '' && { origin }) });
    metrics.answered(path, status);
    writeHead(res, status, { ...this.headers(origin), ...headers, ...more });
    res.end(body, true);
  }

  /** Of every answer with JSON. */
  headers(origin: string): Headers {
    return { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...this.#options.origins.headers(origin) };
  }
}
