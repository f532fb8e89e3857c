import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { Logger } from './log.ts';

/** What the admin listener shows; it decides nothing. */
export interface AdminSources {
  /** Why the node is not ready; undefined: it is. */
  notReady(): string | undefined;
  /** The hub's own metrics. */
  readonly registry: Registry;
  /** Workers' metrics, as prom-client's JSON. */
  workerMetrics(): Promise<unknown[]>;
}

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** Bearer token that everything but health needs; empty: none. */
  readonly token: string;
}

/** The admin listener: health for the orchestrator, metrics for Prometheus. Loopback unless the config says otherwise, and then with a token. */
export class AdminServer {
  readonly #server: Server;
  readonly #options: AdminOptions;
  readonly #sources: AdminSources;

  private constructor(options: AdminOptions, sources: AdminSources, logger: Logger) {
    this.#options = options;
    this.#sources = sources;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        logger.error({ err: error }, 'an admin request failed');
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
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

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'method not allowed');
    switch (path) {
      case '/health/live':
        return send(response, 200, 'live');
      case '/health/ready': {
        const reason = this.#sources.notReady();
        return send(response, reason === undefined ? 200 : 503, reason ?? 'ready');
      }
      case '/metrics':
        if (!this.#permitted(request)) return send(response, 401, 'a bearer token is needed');
        return send(response, 200, await this.#metrics(), this.#sources.registry.contentType);
      default:
        return send(response, 404, 'not found');
    }
  }

  async #metrics(): Promise<string> {
    const own = await this.#sources.registry.getMetricsAsJSON();
    const workers = await this.#sources.workerMetrics();
    return AggregatorRegistry.aggregate([own, ...workers] as object[]).metrics();
  }

  #permitted({ headers }: IncomingMessage): boolean {
    const { token } = this.#options;
    if (token === '') return true;
    const expected = Buffer.from(`Bearer ${token}`);
    const given = Buffer.from(headers.authorization ?? '');
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}

function send(response: ServerResponse, status: number, body: string, contentType = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Cache-Control': 'no-store' });
  response.end(`${body}\n`);
}
