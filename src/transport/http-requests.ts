import type { Config } from '../config/schema.ts';
import { addressOf } from './address.ts';
import { Exchange } from './exchange.ts';
import type { Gate } from './gate.ts';
import { endPreflight, type HttpAnswer, refusal, statusLine, writeHead } from './http-answer.ts';
import { InFlightRequests } from './in-flight-requests.ts';
import { flawOfOrigin, flawOfRequest, type RequestChecks } from './request-flaw.ts';
import type { ClientEvents, ClientRequest } from './transport.ts';
import { findToken } from './upgrade.ts';
import type { HttpRequest, HttpResponse, UwsApp } from './uws.ts';

export interface HttpRequestsOptions extends RequestChecks {
  readonly config: Config;
  readonly gate: Pick<Gate, 'requested'>;
  readonly clients: Pick<ClientEvents<never>, 'whyUnavailable' | 'flawOf' | 'refused' | 'request'>;
  readonly metrics: HttpMetrics;
}

export interface HttpMetrics {
  /** @param route the path, or `other` */
  answered(route: string, status: number): void;
}

interface Route {
  readonly kind: ClientRequest['kind'];
  readonly method: 'GET' | 'POST';
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/publish': { kind: 'publish', method: 'POST' },
  '/history': { kind: 'history', method: 'GET' },
};
const BUSY_RETRY_MS = 1000;

/** What is known of a request when its headers have arrived. */
interface Asked {
  readonly path: string;
  readonly origin: string;
  readonly query: string;
  readonly token: string | undefined;
  /** Undefined: its body comes in chunks. */
  readonly contentLength: number | undefined;
}

/** Requests that are answered without a connection: `POST /publish` and `GET /history`. */
export class HttpRequests {
  readonly #options: HttpRequestsOptions;
  readonly #inFlight: InFlightRequests;
  readonly #open = new Set<Exchange>();

  constructor(options: HttpRequestsOptions) {
    this.#options = options;
    this.#inFlight = new InFlightRequests(options.config.tuning.http);
  }

  get inFlight(): { readonly count: number; readonly bytes: number } {
    return this.#inFlight;
  }

  route(app: UwsApp): void {
    for (const [path, route] of Object.entries(ROUTES)) {
      const take = (res: HttpResponse, req: HttpRequest) => this.#take(path, route, res, req);
      if (route.method === 'POST') app.post(path, take);
      else app.get(path, take);
      app.options(path, (res, req) => this.#preflight(path, route.method, res, req));
      app.any(path, (res, req) => {
        this.#options.gate.requested(res);
        const why = refusal('bad_method', `expected ${route.method}`, { headers: { Allow: `${route.method}, OPTIONS` } });
        this.#refuse(res, this.#read(path, req), why, 'the method is not that of the path');
      });
    }
  }

  /** Called once a second. */
  tick(nowMs = performance.now()): void {
    const { bodyTimeoutMs } = this.#options.config.tuning.http;
    for (const exchange of this.#open) {
      if (!exchange.isReading || nowMs - exchange.startedMs <= bodyTimeoutMs) continue;
      exchange.answer(refusal('timeout', `the body did not arrive within ${bodyTimeoutMs} ms`));
    }
  }

  #take(path: string, { kind, method }: Route, res: HttpResponse, req: HttpRequest): void {
    const { gate, config } = this.#options;
    const address = addressOf(res);
    gate.requested(res);
    const asked = this.#read(path, req);
    const flaw = flawOfRequest(this.#options, res, asked);
    if (flaw !== undefined) return this.#refuse(res, asked, ...flaw);
    const { messageBytesMax } = config.limits;
    const bodyBytes = method === 'GET' ? 0 : (asked.contentLength ?? messageBytesMax);
    if (bodyBytes > messageBytesMax) {
      const why = `the body has more than ${messageBytesMax} bytes`;
      return this.#refuse(res, asked, refusal('message_too_big', why), why);
    }
    const bytes = method === 'GET' ? config.tuning.answers.historyPageBytesMax : bodyBytes;
    const busy = this.#inFlight.take(address, bytes);
    if (busy !== undefined) return this.#refuse(res, asked, refusal('busy', busy, { retryAfterMs: BUSY_RETRY_MS }), busy);
    const exchange = new Exchange(res, performance.now(), () => {
      this.#open.delete(exchange);
      this.#inFlight.release(address, bytes);
    });
    this.#open.add(exchange);
    const { query, token } = asked;
    const request = { kind, query, token, address };
    if (method === 'GET') void this.#answer(exchange, asked, this.#ask({ ...request, body: NOTHING }));
    else void this.#answer(exchange, asked, this.#readBody(exchange, request, messageBytesMax));
  }

  async #readBody(exchange: Exchange, request: Omit<ClientRequest, 'body'>, bytesMax: number): Promise<HttpAnswer> {
    const body = await exchange.read(bytesMax);
    if (body === undefined) return refusal('message_too_big', `the body has more than ${bytesMax} bytes`);
    return this.#ask({ ...request, body });
  }

  async #ask(request: ClientRequest): Promise<HttpAnswer> {
    const outcome = await this.#options.clients.request(request);
    return outcome.kind === 'answer' ? { status: 200, headers: {}, body: outcome.body } : refusal(outcome.code, outcome.message, outcome);
  }

  async #answer(exchange: Exchange, { path, origin }: Asked, answering: Promise<HttpAnswer>): Promise<void> {
    const answer = await answering;
    this.#options.metrics.answered(path, answer.status);
    exchange.answer({ ...answer, headers: { ...this.#headers(origin), ...answer.headers } });
  }

  #read(path: string, req: HttpRequest): Asked {
    const length = req.getHeader('content-length');
    const queryToken = this.#options.config.auth.allowQueryToken ? req.getQuery('token') : undefined;
    return {
      path,
      origin: req.getHeader('origin'),
      query: req.getQuery() ?? '',
      token: findToken(req.getHeader('authorization'), [], queryToken),
      contentLength: length === '' ? undefined : Number(length),
    };
  }

  #preflight(path: string, method: string, res: HttpResponse, req: HttpRequest): void {
    const { gate, origins } = this.#options;
    gate.requested(res);
    const asked = this.#read(path, req);
    const { origin } = asked;
    const foreign = flawOfOrigin(origins, origin);
    if (foreign !== undefined) return this.#refuse(res, asked, ...foreign);
    endPreflight(res, origins.preflight(origin, method));
  }

  #refuse(res: HttpResponse, { path, origin }: Asked, answer: HttpAnswer, why: string): void {
    const { clients, metrics } = this.#options;
    clients.refused({ status: statusLine(answer.status), why, path, ...(origin !== '' && { origin }) });
    metrics.answered(path, answer.status);
    writeHead(res, answer.status, { ...this.#headers(origin), ...answer.headers });
    res.end(answer.body, true);
  }

  #headers(origin: string): HttpAnswer['headers'] {
    return { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...this.#options.origins.headers(origin) };
  }
}

const NOTHING = new Uint8Array();
