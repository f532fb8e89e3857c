import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { CertificatePair } from '../config/certificates.ts';
import type { Logger } from '../telemetry/log.ts';
import { AdminConnections } from './admin-connections.ts';
import { AdminMetrics } from './admin-metrics.ts';
import { readPage } from './admin-page.ts';
import { type Answer, refusal, textAnswer } from './answer.ts';
import { ApiTokens } from './api/access.ts';
import { Api } from './api/api.ts';
import { openapiText } from './api/openapi.ts';
import { Places } from './api/places.ts';
import type { ApiSources } from './api/sources.ts';
import { ROUTES } from './api/table.ts';
import { FOREIGN_HOST, isLocalName } from './local-name.ts';

/** Browsers use only TLS for this host from then on. */
const ONLY_TLS = { 'Strict-Transport-Security': 'max-age=31536000' };

/** How often requests that do not arrive are looked for. */
const CHECK_INTERVAL_MS = 1000;

/** What the admin listener serves. It makes no decisions. */
export interface AdminSources extends ApiSources {
  /** The hub's own metrics. */
  readonly registry: Registry;
}

/**
 * The admin listener: health for the orchestrator, metrics for Prometheus, the HTTP API, and the operator's page that uses it. It listens on loopback unless
 * configured otherwise; then a token is required.
 */
export class AdminServer {
  readonly #server: Server;
  readonly #sources: AdminSources;
  readonly #tokens: ApiTokens;
  readonly #api: Api;
  readonly #places: Places;
  readonly #connections: AdminConnections;
  #scraping: Promise<string> | undefined;
  readonly #page = readPage();
  readonly #openapi = textAnswer(200, openapiText(ROUTES).trimEnd(), 'application/json');

  private constructor(sources: AdminSources, logger: Logger, certificate: CertificatePair | undefined) {
    this.#sources = sources;
    const { tuning, admin } = sources.config;
    const { connectionsMax, bodyTimeoutMs, answerTimeoutMs } = tuning.admin;
    this.#tokens = new ApiTokens({ admin, logger });
    this.#places = new Places(tuning.admin, (full) => metrics.refused(full));
    this.#connections = new AdminConnections({ connectionsMax, onCut: () => metrics.cut() });
    const metrics = new AdminMetrics(sources.registry, () => this.#figures());
    this.#api = new Api({
      tokens: this.#tokens,
      sources,
      places: this.#places,
      onPlace: (...of) => this.#connections.answering(...of),
      logger,
    });
    const onlyTls: Readonly<Record<string, string>> = certificate === undefined ? {} : ONLY_TLS;
    const listener: RequestListener = (request, response) => {
      this.#answer(request, response)
        .catch((error): Answer => {
          logger.error({ err: error }, 'an admin request failed');
          return refusal('internal', 'unexpected error; see the log of the node');
        })
        .then(({ headers, ...answer }) => {
          response.setTimeout(answerTimeoutMs, () => request.socket.destroy());
          send(request, response, { ...answer, headers: { ...onlyTls, ...headers } });
        });
    };
    const options = { headersTimeout: bodyTimeoutMs, requestTimeout: 2 * bodyTimeoutMs, connectionsCheckingInterval: CHECK_INTERVAL_MS };
    this.#server =
      certificate === undefined
        ? createServer(options, listener)
        : createSecureServer({ ...options, handshakeTimeout: bodyTimeoutMs, cert: certificate.cert, key: certificate.key }, listener);
    this.#connections.watch(this.#server);
  }

  /** @param certificate undefined: without TLS. @throws Error with code `listen_failed` */
  static async start(sources: AdminSources, logger: Logger, certificate?: CertificatePair): Promise<AdminServer> {
    const admin = new AdminServer(sources, logger, certificate);
    const { host, port } = sources.config.admin;
    await new Promise<void>((resolve, reject) => {
      admin.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const message = `cannot listen on ${host}:${port} (admin): ${cause.message}`;
        reject(Object.assign(new Error(message, { cause }), { code: 'listen_failed' }));
      });
      admin.#server.listen(port, host, resolve);
    });
    return admin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** For connections from now on. Without TLS it does nothing. */
  useCertificate({ cert, key }: CertificatePair): void {
    if (this.#server instanceof SecureServer) this.#server.setSecureContext({ cert, key });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #figures() {
    return { connections: this.#connections.count, requests: this.#places.count, bodyBytes: this.#places.bytes };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const [path, query] = splitTarget(request.url ?? '/');
    if (path.startsWith('/api/')) return this.#api.answer(request, response, path, query);
    if (request.method !== 'GET' && request.method !== 'HEAD') return textAnswer(405, 'method not allowed');
    switch (path) {
      case '/health/live':
        return textAnswer(200, 'live');
      case '/health/ready': {
        const reason = this.#sources.notReady();
        return textAnswer(reason === undefined ? 200 : 503, reason ?? 'ready');
      }
      case '/metrics':
        return this.#mayScrape(request) ?? textAnswer(200, await this.#scrape(), this.#sources.registry.contentType);
      case '/openapi.json':
        return this.#openapi;
      default:
        return (await this.#page).get(path) ?? textAnswer(404, 'not found');
    }
  }

  /** Why the request may not read metrics; undefined if it may. */
  #mayScrape({ headers }: IncomingMessage): Answer | undefined {
    if (this.#tokens.isOpen) return isLocalName(headers.host) ? undefined : textAnswer(403, FOREIGN_HOST);
    const grant = this.#tokens.grantOf(headers.authorization);
    if (grant === undefined) return textAnswer(401, 'a bearer token is required');
    return grant.scopes.includes('read') ? undefined : textAnswer(403, 'this needs a token with the scope read');
  }

  /** Scrapes at the same time get the same text. */
  #scrape(): Promise<string> {
    this.#scraping ??= this.#metrics().finally(() => {
      this.#scraping = undefined;
    });
    return this.#scraping;
  }

  async #metrics(): Promise<string> {
    const own = await this.#sources.registry.getMetricsAsJSON();
    const workers = await this.#sources.operator.reports.metrics();
    return AggregatorRegistry.aggregate([own, ...workers] as object[]).metrics();
  }
}

/** @returns path and query. The query may have further question marks */
function splitTarget(target: string): [path: string, query: string] {
  const at = target.indexOf('?');
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}

function send({ method }: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...headers });
  response.end(method === 'HEAD' ? undefined : body);
}
