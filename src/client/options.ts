import type { BackoffOptions } from './backoff.ts';
import { assertFields, isWithin, unexpected } from './check.ts';
import type { PublishQueueOptions } from './publish-queue.ts';
import type { WebSocketConstructor } from './websocket.ts';

type Token = string | null | undefined;
/** The token, or what gets one. Null, undefined and an empty text are no token: the connection is anonymous. */
export type TokenSource = Token | (() => Token | Promise<Token>);
/** A text, or a URL object. */
export type UrlSource = string | { readonly href: string };

/** Each may be left out, or be undefined. */
type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined };

export interface ClientOptions {
  /** `wss://host/ws`, or several, which are tried in turn. */
  readonly url: UrlSource | readonly UrlSource[];
  /**
   * The JWT, or a function that gets one: called before every connection and before the token expires. Null, undefined or empty: connect without, as anonymous.
   * A function that throws an UnauthorizedError stops the client; any other error counts as a failed attempt.
   */
  readonly token?: TokenSource;
  /** Ask for batches that are compressed once for all who want that; costs the client an asynchronous step a frame. Default: false. */
  readonly compression?: boolean | undefined;
  /** Default: the platform's, else the `ws` package's. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** Default: `{ baseMs: 500, maxMs: 30_000, jitterMs: 1000, stableAfterMs: 5000 }`. */
  readonly backoff?: Loose<BackoffOptions> | undefined;
  /** Default: `{ queueMax: 1000, onFull: 'reject', budgetMs: 60_000, inFlightMax: 32 }`. */
  readonly publish?: Loose<PublishQueueOptions> | undefined;
  /** Time for a connection to be made, its token included. Default: 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Time for the answer to a subscribe or a history. Default: 10 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Time for the answer to a ping, at most; the server names the interval. Default: 5 s. */
  readonly pongTimeoutMs?: number | undefined;
  /** Calls and history requests that may wait for an answer at once. Default: 1,000. */
  readonly requestsMax?: number | undefined;
  /** Items that may wait for a gap to be filled, per topic. Default: 10,000. */
  readonly holdItemsMax?: number | undefined;
  /** Keys whose latest item is remembered for listeners that come late, per topic with `snapshot`. Default: 10,000. */
  readonly stateKeysMax?: number | undefined;
  /** Bytes that may wait in the socket before volatile publishes are dropped. Default: 1 MiB. */
  readonly sendBufferBytesMax?: number | undefined;
  /** How often the `stats` event comes, while somebody listens. Default: 1 s. */
  readonly statsIntervalMs?: number | undefined;
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

const DEFAULTS = {
  compression: false,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
  pongTimeoutMs: 5000,
  requestsMax: 1000,
  holdItemsMax: 10_000,
  stateKeysMax: 10_000,
  sendBufferBytesMax: 1_048_576,
  statsIntervalMs: 1000,
};
const BACKOFF: BackoffOptions = { baseMs: 500, maxMs: 30_000, jitterMs: 1000, stableAfterMs: 5000 };
const PUBLISH: PublishQueueOptions = { queueMax: 1000, onFull: 'reject', budgetMs: 60_000, inFlightMax: 32 };

/** Undefined and null count as absent, within `backoff` and `publish` too. @throws InvalidError */
export function readOptions(options: ClientOptions): Settings {
  const { url, token, WebSocket, backoff, publish } = options ?? {};
  const urls = (Array.isArray(url) && url.length > 0 ? [...url] : [url]).map(urlOf);
  const settings: Settings = {
    ...fill('', DEFAULTS, options),
    urls,
    token,
    WebSocket: WebSocket ?? undefined,
    backoff: fill('backoff.', BACKOFF, backoff ?? {}),
    publish: fill('publish.', PUBLISH, publish ?? {}),
  };
  assertFields({ WebSocket: settings.WebSocket, token: token ?? undefined, 'publish.onFull': settings.publish.onFull });
  return settings;
}

/** What is given, of the default's type, else the default. Numbers within what a timer takes. @throws InvalidError */
function fill<T extends object>(path: string, defaults: T, given: Loose<T>): T {
  if (typeof given !== 'object') throw unexpected(path, given, 'an object');
  const filled = Object.entries(defaults).map(([name, fallback]) => {
    const value = given[name as keyof T] ?? fallback;
    if (typeof value !== typeof fallback || (typeof value === 'number' && !isWithin(value, 0, 0x7fffffff)))
      throw unexpected(path + name, value, `a ${typeof fallback} in range`);
    return [name, value];
  });
  return Object.fromEntries(filled) as T;
}

/** @returns undefined: none, the connection is anonymous. @throws InvalidError for what is no text; whatever a token function throws */
export async function getToken(source: TokenSource): Promise<string | undefined> {
  const token: unknown = typeof source === 'function' ? await source() : source;
  if (token === undefined || token === null || token === '') return undefined;
  if (typeof token !== 'string') throw unexpected('token', token, 'text');
  return token;
}

/** A URL that no attempt could use is refused at once, where the platform can tell: else it would be tried for ever. */
function urlOf(source: UrlSource | undefined): string {
  const url = typeof source === 'string' ? source : source?.href;
  const { URL } = globalThis as { URL?: new (url: string) => unknown };
  try {
    if (url !== undefined && /^wss?:\/\/[^#]+$/i.test(url) && (URL === undefined || new URL(url))) return url;
  } catch {
    // Refused below, as the others are.
  }
  throw unexpected('url', url, 'one like wss://example.org/ws');
}
