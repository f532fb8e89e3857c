import type { Config } from '../config/schema.ts';
import type { ClientAddresses } from './client-address.ts';
import { Exchange } from './exchange.ts';
import type { Gate } from './gate.ts';
import { type HttpAnswer, refusal } from './http-answer.ts';
import { type Asked, HttpDoor, type HttpDoorOptions } from './http-door.ts';
import { InFlightRequests } from './in-flight-requests.ts';
import type { Flaw } from './request-flaw.ts';
import type { ClientEvents, ClientRequest } from './transport.ts';
import type { HttpRequest, HttpResponse, UwsApp } from './uws.ts';

export interface HttpRequestsOptions extends HttpDoorOptions {
  readonly config: Config;
  readonly addresses: Pick<ClientAddresses, 'of'>;
  readonly gate: Pick<Gate, 'requested'>;
  readonly clients: HttpDoorOptions['clients'] & Pick<ClientEvents<never>, 'request'>;
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
const TWO_LENGTHS: Flaw = { code: 'bad_message', message: 'two headers Content-Length say different lengths' };

/** Requests that are answered without a connection: `POST /publish` and `GET /history`. */
export class HttpRequests {
  readonly #options: HttpRequestsOptions;
  readonly #door: HttpDoor;
  readonly #inFlight: InFlightRequests;
  readonly #open = new Set<Exchange>();

  constructor(options: HttpRequestsOptions) {
    this.#options = options;
    this.#door = new HttpDoor(options);
    this.#inFlight = new InFlightRequests(options.config);
  }

  get inFlight(): { readonly count: number; readonly bytes: number } {
    return this.#inFlight;
  }

  route(app: UwsApp): void {
    for (const [path, route] of Object.entries(ROUTES)) {
      const take = (res: HttpResponse, req: HttpRequest) => this.#take(path, route, res, req);
      if (route.method === 'POST') app.post(path, take);
      else app.get(path, take);
      this.#door.routeOthers(app, path, route.method);
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
    const { addresses, gate, config } = this.#options;
    const address = addresses.of(res, req);
    gate.requested(res);
    const asked = this.#door.read(path, req);
    const flaw = this.#door.flawOf(res, asked);
    if (flaw !== undefined) return this.#door.refuse(res, asked, flaw);
    const { messageBytesMax } = config.limits;
    const lengths = contentLengthsOf(req);
    if (lengths.length > 1) return this.#door.refuse(res, asked, TWO_LENGTHS);
    // Without a length the body comes in chunks.
    const bodyBytes = method === 'GET' ? 0 : (lengths[0] ?? messageBytesMax);
    if (bodyBytes > messageBytesMax) {
      return this.#door.refuse(res, asked, { code: 'message_too_big', message: `the body has more than ${messageBytesMax} bytes` });
    }
    const bytes = method === 'GET' ? config.tuning.answers.historyPageBytesMax : bodyBytes;
    const busy = this.#inFlight.take(address, bytes);
    if (busy !== undefined) return this.#door.refuse(res, asked, { code: 'busy', message: busy, retryAfterMs: BUSY_RETRY_MS });
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
    exchange.answer({ ...answer, headers: { ...this.#door.headers(origin), ...answer.headers } });
  }
}

/** All that differ: uWS reads the body by the first one, and a proxy in front may go by another. */
function contentLengthsOf(req: Pick<HttpRequest, 'forEach'>): readonly number[] {
  const lengths = new Set<number>();
  req.forEach((name, value) => {
    if (name === 'content-length') lengths.add(Number(value));
  });
  return [...lengths];
}

const NOTHING = new Uint8Array();
