import type { BackoffOptions } from './backoff.ts';
import { InvalidError } from './errors.ts';
import type { PublishQueueOptions } from './publish-queue.ts';
import type { WebSocketConstructor } from './websocket.ts';

type Token = string | null | undefined;
/** The token, or what gets one. Null, undefined and an empty text are no token: the connection is anonymous. */
export type TokenSource = Token | (() => Token | Promise<Token>);
/** A text, or a URL object. */
export type UrlSource = string | { readonly href: string };

export interface ClientOptions {
  /** `wss://host/ws`, or several, which are tried in turn. */
  readonly url: UrlSource | readonly UrlSource[];
  /**
   * The JWT, or a function that gets one: called before every connection and before the token expires. Null, undefined or empty: connect without, as anonymous.
   * A function that throws an UnauthorizedError stops the client; any other error counts as a failed attempt.
   */
  readonly token?: TokenSource;
  /** Ask for batches that are compressed once for all who want that; costs the client an asynchronous step a frame. Default: false. */
  readonly compression?: boolean;
  /** Default: the platform's, else the `ws` package's. */
  readonly WebSocket?: WebSocketConstructor;
  /** Default: `{ baseMs: 500, maxMs: 30_000, jitterMs: 1000, stableAfterMs: 5000 }`. */
  readonly backoff?: Partial<BackoffOptions>;
  /** Default: `{ queueMax: 1000, onFull: 'reject', budgetMs: 60_000, inFlightMax: 32 }`. */
  readonly publish?: Partial<PublishQueueOptions>;
  /** Time for a connection to be made, its token included. Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** Time for the answer to a subscribe or a history. Default: 10 s. */
  readonly requestTimeoutMs?: number;
  /** Time for the answer to a ping, at most; the server names the interval. Default: 5 s. */
  readonly pongTimeoutMs?: number;
  /** Calls and history requests that may wait for an answer at once. Default: 1,000. */
  readonly requestsMax?: number;
  /** Items that may wait for a gap to be filled, per topic. Default: 10,000. */
  readonly holdItemsMax?: number;
  /** Keys whose latest item is remembered for listeners that come late, per topic with `snapshot`. Default: 10,000. */
  readonly stateKeysMax?: number;
  /** Bytes that may wait in the socket before volatile publishes are dropped. Default: 1 MiB. */
  readonly sendBufferBytesMax?: number;
  /** How often the `stats` event comes, while somebody listens. Default: 1 s. */
  readonly statsIntervalMs?: number;
}

export interface Settings {
  readonly urls: readonly string[];
  readonly token: TokenSource;
  readonly compression: boolean;
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly backoff: BackoffOptions;
  readonly publish: PublishQueueOptions;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly pongTimeoutMs: number;
  readonly requestsMax: number;
  readonly holdItemsMax: number;
  readonly stateKeysMax: number;
  readonly sendBufferBytesMax: number;
  readonly statsIntervalMs: number;
}

/** @throws InvalidError */
export function readOptions(options: ClientOptions): Settings {
  const urls = (Array.isArray(options.url) ? [...options.url] : [options.url]).map(urlOf);
  if (urls.length === 0) throw new InvalidError('url: one at least');
  const settings: Settings = {
    urls,
    token: options.token,
    compression: options.compression ?? false,
    WebSocket: options.WebSocket,
    backoff: { baseMs: 500, maxMs: 30_000, jitterMs: 1000, stableAfterMs: 5000, ...options.backoff },
    publish: { queueMax: 1000, onFull: 'reject', budgetMs: 60_000, inFlightMax: 32, ...options.publish },
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
    pongTimeoutMs: options.pongTimeoutMs ?? 5000,
    requestsMax: options.requestsMax ?? 1000,
    holdItemsMax: options.holdItemsMax ?? 10_000,
    stateKeysMax: options.stateKeysMax ?? 10_000,
    sendBufferBytesMax: options.sendBufferBytesMax ?? 1_048_576,
    statsIntervalMs: options.statsIntervalMs ?? 1000,
  };
  assertNumbers('', settings);
  assertNumbers('backoff.', settings.backoff);
  assertNumbers('publish.', settings.publish);
  return settings;
}

/** @returns undefined: none, the connection is anonymous. @throws InvalidError for what is no text; whatever a token function throws */
export async function getToken(source: TokenSource): Promise<string | undefined> {
  const token: unknown = typeof source === 'function' ? await source() : source;
  if (token === undefined || token === null || token === '') return undefined;
  if (typeof token !== 'string') throw new InvalidError(`the token is a text, not ${typeof token}`);
  return token;
}

function urlOf(source: UrlSource): string {
  const url: unknown = typeof source === 'string' ? source : source?.href;
  if (typeof url === 'string' && /^wss?:\/\/./i.test(url)) return url;
  throw new InvalidError(`url ${String(url)}: expected one like wss://example.org/ws`);
}

function assertNumbers(path: string, settings: object): void {
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === 'number' && !(value >= 0 && value <= 0x7fffffff)) throw new InvalidError(`${path}${name} ${value}: out of range`);
  }
}
