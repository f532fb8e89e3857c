import type { Config } from '../config/schema.ts';
import { type Encoding, SUBPROTOCOLS } from '../protocol/codec.ts';
import { type HttpCode, statusOf } from '../protocol/http-status.ts';
import type { ClientAddresses } from './client-address.ts';
import type { Gate } from './gate.ts';
import { statusLine } from './http-answer.ts';
import { type Flaw, flawBeforeReading, flawOfOrigin, flawOfToken, type RequestChecks } from './request-flaw.ts';
import type { ClientEvents } from './transport.ts';
import type { HttpRequest, HttpResponse, UpgradeContext } from './uws.ts';
import type { UwsSocket } from './uws-socket.ts';

export interface UpgraderOptions extends RequestChecks {
  readonly config: { readonly auth: Pick<Config['auth'], 'allowQueryToken'> };
  readonly addresses: Pick<ClientAddresses, 'of'>;
  readonly gate: Pick<Gate, 'requested' | 'upgraded'>;
  readonly metrics: UpgradeMetrics;
  readonly clients: Pick<ClientEvents<never>, 'whyUnavailable' | 'flawOf' | 'takeConnect' | 'refused'>;
}

export interface UpgradeMetrics {
  /** @param status as in `401 Unauthorized` */
  refused(status: string): void;
}

/** What was agreed with the client's request. */
export interface Accepted {
  readonly encoding: Encoding;
  readonly address: string;
  /** As received. */
  readonly token: string | undefined;
}

/** The data that uWebSockets keeps with a socket. It copies these fields into its own object, where the fourth would cost 24 bytes more. */
export interface SocketData<Client> {
  /** Undefined once the socket has opened. */
  accepted: Accepted | undefined;
  /** Both are set when it has opened. */
  socket: UwsSocket | undefined;
  client: Client | undefined;
}

const BEARER_ENTRY = 'bearer.';

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

/** The token of a request. @param protocols offered for a WebSocket */
export function tokenOf(
  req: HttpRequest,
  { auth }: { readonly auth: Pick<Config['auth'], 'allowQueryToken'> },
  protocols: readonly string[] = [],
): string | undefined {
  return findToken(req.getHeader('authorization'), protocols, auth.allowQueryToken ? req.getQuery('token') : undefined);
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
    const options = this.#options;
    const flawed = flawBeforeReading(options, res);
    if (flawed !== undefined) return this.#refuse(res, flawed);
    const foreign = flawOfOrigin(options, origin);
    if (foreign !== undefined) return this.#refuse(res, foreign, { origin });
    const chosen = chooseProtocol(protocols);
    if (chosen === undefined) return this.#end(res, statusLine(426), 'no subprotocol in common');
    const address = options.addresses.of(res, req);
    const flaw = flawOfToken(options, token) ?? options.clients.takeConnect(address);
    if (flaw !== undefined) return this.#refuse(res, flaw);
    const accepted: Accepted = { encoding: chosen.encoding, address, token };
    const data: SocketData<unknown> = { accepted, socket: undefined, client: undefined };
    res.upgrade(data, key, chosen.subprotocol, extensions, context);
    options.gate.upgraded();
  };

  #read(req: HttpRequest): Handshake {
    const protocols = offeredProtocols(req);
    return {
      key: req.getHeader('sec-websocket-key'),
      protocols,
      extensions: req.getHeader('sec-websocket-extensions'),
      origin: req.getHeader('origin'),
      token: tokenOf(req, this.#options.config, protocols),
    };
  }

  #refuse(res: HttpResponse, { code, message, retryAfterMs }: Flaw, more?: { readonly origin: string }): void {
    this.#end(res, statusLine(statusOf(code as HttpCode)), message, more, retryAfterMs);
  }

  #end(res: HttpResponse, status: string, why: string, more?: { readonly origin: string }, retryAfterMs?: number): void {
    this.#options.metrics.refused(status);
    this.#options.clients.refused({ status, why, ...more });
    res.writeStatus(status);
    if (retryAfterMs !== undefined) res.writeHeader('Retry-After', String(retryAfterMs / 1000));
    res.end(status, true);
  }
}
