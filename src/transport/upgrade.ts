import type { Config } from '../config/schema.ts';
import { type Encoding, SUBPROTOCOLS } from '../protocol/codec.ts';
import type { Origins } from './cors.ts';
import type { Gate } from './gate.ts';
import type { ClientEvents } from './transport.ts';
import type { HttpRequest, HttpResponse, UpgradeContext } from './uws.ts';
import type { UwsSocket } from './uws-socket.ts';

export interface UpgraderOptions {
  readonly config: { readonly auth: Pick<Config['auth'], 'allowQueryToken'> };
  readonly origins: Origins;
  readonly gate: Pick<Gate, 'requested' | 'upgraded'>;
  readonly metrics: UpgradeMetrics;
  readonly clients: Pick<ClientEvents<never>, 'whyUnavailable' | 'flawOf' | 'takeConnect' | 'refused'>;
  /** Why a request is refused for its connection, whatever it asks for; undefined: it is not. */
  readonly flawOfConnection: (res: HttpResponse) => string | undefined;
}

export interface UpgradeMetrics {
  /** @param status as in `401 Unauthorized` */
  refused(status: string): void;
}

/** The data that uWebSockets keeps with a socket. It copies these fields into its own object. */
export interface SocketData<Client> {
  readonly encoding: Encoding;
  /** As received; undefined once the socket has opened. */
  token: string | undefined;
  /** Both are set when it has opened. */
  socket: UwsSocket | undefined;
  client: Client | undefined;
}

const BEARER_ENTRY = 'bearer.';
/** A worker that is full or shutting down stays so for a while; an exceeded rate does not last. */
const RETRY_AFTER_SECONDS = 5;
const RETRY_AFTER_TOO_FAST_SECONDS = 1;
const UNAVAILABLE = '503 Service Unavailable';
const TOO_FAST = 'more connects per second than limits.connectsPerSecondMax';

/** What an upgrade request contains. */
export interface Handshake {
  readonly key: string;
  readonly protocols: readonly string[];
  readonly extensions: string;
  readonly origin: string;
  readonly token: string | undefined;
}

/** The encoding for the client, and the subprotocol for the answer. Without a request for one: JSON. */
export function chooseProtocol(offered: readonly string[]): { encoding: Encoding; subprotocol: string } | undefined {
  const ours = offered.filter((entry) => !entry.startsWith(BEARER_ENTRY));
  if (ours.length === 0) return { encoding: 'json', subprotocol: '' };
  for (const entry of ours) {
    for (const [encoding, subprotocol] of Object.entries(SUBPROTOCOLS) as [Encoding, string][]) {
      if (entry === subprotocol) return { encoding, subprotocol };
    }
  }
  return undefined;
}

/** The header, then the subprotocol entry (browsers cannot set headers), then, only if allowed, the query. */
export function findToken(authorization: string, protocols: readonly string[], queryToken: string | undefined): string | undefined {
  // A header without a token in it counts as an invalid token, not as an anonymous client.
  if (/^bearer(?: |$)/i.test(authorization)) return authorization.slice(7).trim();
  const entry = protocols.find((protocol) => protocol.startsWith(BEARER_ENTRY));
  if (entry !== undefined) return entry.slice(BEARER_ENTRY.length);
  return queryToken === undefined || queryToken === '' ? undefined : queryToken;
}

/** Every entry, in order. The header may come in several lines (RFC 6455, 11.3.4), of which `getHeader` returns the first. */
export function offeredProtocols(req: Pick<HttpRequest, 'forEach'>): string[] {
  const entries: string[] = [];
  req.forEach((name, value) => {
    if (name === 'sec-websocket-protocol') entries.push(...value.split(','));
  });
  return entries.map((entry) => entry.trim()).filter((entry) => entry !== '');
}

/** Upgrades HTTP requests to connections, or refuses them with an HTTP status. */
export class Upgrader {
  readonly #options: UpgraderOptions;

  constructor(options: UpgraderOptions) {
    this.#options = options;
  }

  /**
   * Decides synchronously: what can be checked of a token without its signature is checked here, the rest on the open connection. If the upgrade came later,
   * after an await, one connection in ten would be closed right after its `open` with uWebSockets up to 20.57 (uNetworking/uWebSockets#1929; measured: 9 of 40
   * processes lost some).
   */
  readonly upgrade = (res: HttpResponse, req: HttpRequest, context: UpgradeContext): void => {
    this.#options.gate.requested(res);
    const { key, protocols, extensions, origin, token } = this.#read(req);
    const { origins, clients, gate, flawOfConnection } = this.#options;
    const flawed = flawOfConnection(res);
    if (flawed !== undefined) return this.#refuse(res, '403 Forbidden', flawed);
    const refused = clients.whyUnavailable();
    if (refused !== undefined) return this.#refuse(res, UNAVAILABLE, refused);
    if (!origins.allows(origin)) return this.#refuse(res, '403 Forbidden', 'the origin is not in allowedOrigins', { origin });
    const chosen = chooseProtocol(protocols);
    if (chosen === undefined) return this.#refuse(res, '426 Upgrade Required', 'no subprotocol in common');
    const flaw = token === undefined ? undefined : clients.flawOf(token);
    if (flaw !== undefined) return this.#refuse(res, '401 Unauthorized', flaw);
    // Last, so that refused requests do not count against the rate.
    if (!clients.takeConnect()) return this.#refuse(res, UNAVAILABLE, TOO_FAST);
    const data: SocketData<unknown> = { encoding: chosen.encoding, token, socket: undefined, client: undefined };
    res.upgrade(data, key, chosen.subprotocol, extensions, context);
    gate.upgraded();
  };

  #read(req: HttpRequest): Handshake {
    const protocols = offeredProtocols(req);
    const queryToken = this.#options.config.auth.allowQueryToken ? req.getQuery('token') : undefined;
    return {
      key: req.getHeader('sec-websocket-key'),
      protocols,
      extensions: req.getHeader('sec-websocket-extensions'),
      origin: req.getHeader('origin'),
      token: findToken(req.getHeader('authorization'), protocols, queryToken),
    };
  }

  #refuse(res: HttpResponse, status: string, why: string, more: { readonly origin?: string } = {}): void {
    this.#options.metrics.refused(status);
    this.#options.clients.refused({ status, why, ...more });
    res.writeStatus(status);
    if (status === UNAVAILABLE)
      res.writeHeader('Retry-After', String(why === TOO_FAST ? RETRY_AFTER_TOO_FAST_SECONDS : RETRY_AFTER_SECONDS));
    res.end(status, true);
  }
}
