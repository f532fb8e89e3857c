import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { Logger } from '../telemetry/log.ts';
import { AdminApi, type ApiSources } from './admin-api.ts';
import { readPage } from './admin-page.ts';
import { type Answer, jsonAnswer, refusal, textAnswer } from './answer.ts';
import { isLocalName } from './local-name.ts';

/** What the admin listener shows; it decides nothing. */
export interface AdminSources extends ApiSources {
  /** The hub's own metrics. */
  readonly registry: Registry;
  /** Workers' metrics, as prom-client's JSON. */
  workerMetrics(): Promise<unknown[]>;
}

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** Bearer token that everything but health and the page's own files needs; empty: none, and nothing but reading is allowed. */
  readonly token: string;
}

/**
 * The admin listener: health for the orchestrator, metrics for Prometheus, the JSON API and the operator's page on it. Loopback unless the config says
 * otherwise, and then with a token.
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
          return textAnswer(500, 'something went wrong; it has been logged');
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
    if (request.method !== 'GET' && request.method !== 'HEAD') return textAnswer(405, 'method not allowed');
    switch (path) {
      case '/health/live':
        return textAnswer(200, 'live');
      case '/health/ready': {
        const reason = this.#sources.notReady();
        return textAnswer(reason === undefined ? 200 : 503, reason ?? 'ready');
      }
      case '/metrics':
        if (!this.#hasToken(request)) return textAnswer(401, 'a bearer token is needed');
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

  /** Why the request may not read; undefined: it may. */
  #readable(request: IncomingMessage): Answer | undefined {
    if (!this.#hasToken(request)) return refusal(401, 'unauthorized', 'a bearer token is needed');
    // Without a token a name of somebody else's that resolves to this address would let their page read ours.
    if (this.#options.token === '' && !isLocalName(request.headers.host)) {
      return refusal(403, 'forbidden', 'without admin.token this answers to localhost or an address only');
    }
    return undefined;
  }

  async #publish(request: IncomingMessage): Promise<Answer> {
    if (this.#options.token === '') return refusal(404, 'unsupported', 'publishing is off: admin.token is not set');
    if (!this.#hasToken(request)) return refusal(403, 'forbidden', 'publishing needs the bearer token');
    return this.#api.publish(request);
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
