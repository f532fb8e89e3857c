import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { Logger } from '../telemetry/log.ts';
import { ORDERS } from './admin-answers.ts';
import { AdminApi, type ApiSources } from './admin-api.ts';
import { readPage } from './admin-page.ts';
import { type Answer, jsonAnswer, refusal, textAnswer } from './answer.ts';
import { isLocalName } from './local-name.ts';

/** What the admin listener serves. It makes no decisions. */
export interface AdminSources extends ApiSources {
  /** The hub's own metrics. */
  readonly registry: Registry;
  /** Metrics of the workers, as prom-client's JSON. */
  workerMetrics(): Promise<unknown[]>;
}

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** Bearer token that everything requires, except health and the page's own files. Empty: no token is required, and only reading is permitted. */
  readonly token: string;
}

/**
 * The admin listener: health for the orchestrator, metrics for Prometheus, the JSON API, and the operator's page that uses it. It listens on loopback unless
 * configured otherwise; then a token is required.
 */
export class AdminServer {
  readonly #server: Server;
  readonly #options: AdminOptions;
  readonly #sources: AdminSources;
  readonly #api: AdminApi;
  readonly #page = readPage();

  private constructor(options: AdminOptions, sources: AdminSources, logger: Logger) {
    this.#options = options;
    this.#sources = sources;
    this.#api = new AdminApi(sources, logger);
    this.#server = createServer((request, response) => {
      this.#answer(request)
        .catch((error): Answer => {
          logger.error({ err: error }, 'an admin request failed');
          return textAnswer(500, 'internal error; see the log of the node');
        })
        .then((answer) => send(request, response, answer));
    });
  }

  /** @throws Error with code `listen_failed` */
  static async start(options: AdminOptions, sources: AdminSources, logger: Logger): Promise<AdminServer> {
    const admin = new AdminServer(options, sources, logger);
    await new Promise<void>((resolve, reject) => {
      admin.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const message = `cannot listen on ${options.host}:${options.port} (admin): ${cause.message}`;
        reject(Object.assign(new Error(message, { cause }), { code: 'listen_failed' }));
      });
      admin.#server.listen(options.port, options.host, resolve);
    });
    return admin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    if (path === '/api/publish')
      return request.method === 'POST' ? this.#publish(request) : refusal(405, 'bad_method', 'publish with POST');
    const order = path.slice('/api/'.length);
    if (path.startsWith('/api/') && ORDERS.has(order))
      return request.method === 'POST' ? this.#order(order, request) : refusal(405, 'bad_method', 'send an order with POST');
    if (request.method !== 'GET' && request.method !== 'HEAD') return textAnswer(405, 'method not allowed');
    switch (path) {
      case '/health/live':
        return textAnswer(200, 'live');
      case '/health/ready': {
        const reason = this.#sources.notReady();
        return textAnswer(reason === undefined ? 200 : 503, reason ?? 'ready');
      }
      case '/metrics':
        if (!this.#hasToken(request)) return textAnswer(401, 'a bearer token is required');
        return textAnswer(200, await this.#metrics(), this.#sources.registry.contentType);
      case '/api/node':
        return this.#readable(request) ?? jsonAnswer(200, await this.#api.node(this.#options.token !== ''));
      case '/api/nodes':
        return this.#readable(request) ?? jsonAnswer(200, await this.#api.nodes());
      case '/api/topics':
        return this.#readable(request) ?? (await this.#api.topics(new URLSearchParams(query)));
      default:
        return (await this.#page).get(path) ?? textAnswer(404, 'not found');
    }
  }

  /** Why the request may not read; undefined if it may. */
  #readable(request: IncomingMessage): Answer | undefined {
    if (!this.#hasToken(request)) return refusal(401, 'unauthorized', 'a bearer token is required');
    // Without a token, a foreign DNS name that resolves to this address would let a foreign web page read the API (DNS rebinding).
    if (this.#options.token === '' && !isLocalName(request.headers.host)) {
      return refusal(403, 'forbidden', 'without admin.token, only localhost and IP addresses are accepted as Host');
    }
    return undefined;
  }

  async #publish(request: IncomingMessage): Promise<Answer> {
    return this.#writable(request, 'publishing') ?? this.#api.publish(request);
  }

  async #order(order: string, request: IncomingMessage): Promise<Answer> {
    return this.#writable(request, 'this') ?? this.#api.order(order, request);
  }

  /** Why the request may change nothing; undefined: it may. */
  #writable(request: IncomingMessage, what: string): Answer | undefined {
    if (this.#options.token === '') return refusal(404, 'unsupported', `${what} is disabled: admin.token is not set`);
    return this.#hasToken(request) ? undefined : refusal(403, 'forbidden', `${what} requires the bearer token`);
  }

  async #metrics(): Promise<string> {
    const own = await this.#sources.registry.getMetricsAsJSON();
    const workers = await this.#sources.workerMetrics();
    return AggregatorRegistry.aggregate([own, ...workers] as object[]).metrics();
  }

  #hasToken({ headers }: IncomingMessage): boolean {
    const { token } = this.#options;
    if (token === '') return true;
    const expected = Buffer.from(`Bearer ${token}`);
    const given = Buffer.from(headers.authorization ?? '');
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}

function send({ method }: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...headers });
  response.end(method === 'HEAD' ? undefined : body);
}
