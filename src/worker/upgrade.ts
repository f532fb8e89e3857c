import type { Config } from '../config/schema.ts';
import type { Logger } from '../ops/log.ts';
import { type Codec, type Encoding, SUBPROTOCOLS } from '../protocol/codec.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { jsonCodec } from '../protocol/json-codec.ts';
import { msgpackCodec } from '../protocol/msgpack-codec.ts';
import type { Authenticator } from './authenticator.ts';
import { Connection, type SocketData } from './connection.ts';
import type { Identity } from './identity.ts';
import type { HttpRequest, HttpResponse, UpgradeContext } from './uws.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface UpgraderOptions {
  readonly config: Config;
  readonly authenticator: Authenticator;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
  /**
   * Undefined: take it; else the HTTP status to refuse with.
   * @param verifying requests whose token is being checked: each will be a connection unless it is refused
   */
  readonly refusal: (verifying: number) => string | undefined;
  readonly nextConnectionId: () => string;
}

const CODECS: Record<Encoding, Codec> = { msgpack: msgpackCodec, json: jsonCodec };
const BEARER_ENTRY = 'bearer.';
const RETRY_AFTER_SECONDS = 5;

/** What is read from the request before anything asynchronous: uWS's request object does not outlive the handler. */
export interface Handshake {
  readonly key: string;
  readonly protocols: readonly string[];
  readonly extensions: string;
  readonly origin: string;
  readonly token: string | undefined;
}

/** Which encoding the client gets, and which subprotocol the answer names. None asked for: JSON. */
export function chooseProtocol(offered: readonly string[]): { codec: Codec; subprotocol: string } | undefined {
  const ours = offered.filter((entry) => !entry.startsWith(BEARER_ENTRY));
  if (ours.length === 0) return { codec: jsonCodec, subprotocol: '' };
  for (const entry of ours) {
    for (const [encoding, subprotocol] of Object.entries(SUBPROTOCOLS) as [Encoding, string][]) {
      if (entry === subprotocol) return { codec: CODECS[encoding], subprotocol };
    }
  }
  return undefined;
}

/** Header, then subprotocol entry (browsers cannot set headers), then, only if allowed, the query. */
export function findToken(authorization: string, protocols: readonly string[], queryToken: string | undefined): string | undefined {
  // A header without a token in it is one that does not hold, not an anonymous client.
  if (/^bearer(?: |$)/i.test(authorization)) return authorization.slice(7).trim();
  const entry = protocols.find((protocol) => protocol.startsWith(BEARER_ENTRY));
  if (entry !== undefined) return entry.slice(BEARER_ENTRY.length);
  return queryToken === undefined || queryToken === '' ? undefined : queryToken;
}

/** Turns HTTP requests into connections, or refuses them with an HTTP status. */
export class Upgrader {
  readonly #options: UpgraderOptions;
  #verifying = 0;

  constructor(options: UpgraderOptions) {
    this.#options = options;
  }

  readonly upgrade = (res: HttpResponse, req: HttpRequest, context: UpgradeContext): void => {
    const handshake = this.#read(req);
    const { config, refusal } = this.#options;
    const refused = refusal(this.#verifying);
    if (refused !== undefined) return this.#refuse(res, refused);
    if (config.allowedOrigins.length > 0 && handshake.origin !== '' && !config.allowedOrigins.includes(handshake.origin)) {
      return this.#refuse(res, '403 Forbidden');
    }
    const chosen = chooseProtocol(handshake.protocols);
    if (chosen === undefined) return this.#refuse(res, '426 Upgrade Required');
    const accept = (identity: Identity | undefined) => {
      const connection = new Connection(this.#options.nextConnectionId(), chosen.codec, identity, config.limits);
      res.upgrade<SocketData>({ connection }, handshake.key, chosen.subprotocol, handshake.extensions, context);
    };
    if (handshake.token === undefined) return accept(undefined);
    void this.#verify(res, handshake.token, accept);
  };

  async #verify(res: HttpResponse, token: string, accept: (identity: Identity) => void): Promise<void> {
    // Without this uWS aborts the process when the peer goes away while the token is checked.
    let aborted = false;
    res.onAborted(() => {
      aborted = true;
    });
    this.#verifying++;
    const outcome = await this.#identify(token);
    this.#verifying--;
    if (aborted) return;
    // Meanwhile the worker may have begun to drain.
    const refused = typeof outcome === 'string' ? outcome : this.#options.refusal(this.#verifying);
    res.cork(() => (refused === undefined ? accept(outcome as Identity) : this.#refuse(res, refused)));
  }

  /** @returns who it is, or the HTTP status to refuse with */
  async #identify(token: string): Promise<Identity | string> {
    try {
      return await this.#options.authenticator.verify(token);
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'token refused');
      const unavailable = error instanceof ProtocolError && error.code === 'unavailable';
      return unavailable ? '503 Service Unavailable' : '401 Unauthorized';
    }
  }

  #read(req: HttpRequest): Handshake {
    const protocols = req
      .getHeader('sec-websocket-protocol')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    const queryToken = this.#options.config.auth.allowQueryToken ? req.getQuery('token') : undefined;
    return {
      key: req.getHeader('sec-websocket-key'),
      protocols,
      extensions: req.getHeader('sec-websocket-extensions'),
      origin: req.getHeader('origin'),
      token: findToken(req.getHeader('authorization'), protocols, queryToken),
    };
  }

  #refuse(res: HttpResponse, status: string): void {
    this.#options.metrics.refused(status);
    res.writeStatus(status);
    if (status.startsWith('503')) res.writeHeader('Retry-After', String(RETRY_AFTER_SECONDS));
    res.end(status, true);
  }
}
