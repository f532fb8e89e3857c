import type { BackoffOptions } from './backoff.ts';
import { assertFields, isWithin, unexpected } from './check.ts';
import type { NewUnpacker } from './frame-reader.ts';
import type { PublishQueueOptions } from './publish-queue.ts';
import type { WebSocketConstructor } from './websocket.ts';

type Token = string | null | undefined;
/** A token, or a function that gets one. Null, undefined and an empty text mean no token: the connection is anonymous. */
export type TokenSource = Token | (() => Token | Promise<Token>);
/** A text or a URL object. */
export type UrlSource = string | { readonly href: string };

/** Each may be missing or undefined. */
type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined };

export interface ClientOptions {
  /** `wss://host/ws`, or several URLs, which are tried in turn. */
  readonly url: UrlSource | readonly UrlSource[];
  /**
   * The JWT, or a function that gets one: it is called before every connection and before the token expires. Null, undefined or empty: connect without a token,
   * as anonymous. If the function throws an UnauthorizedError, the client stops; any other error counts as a failed attempt.
   */
  readonly token?: TokenSource;
  /** Requests compressed batches, and unpacks them: from `withCompression` of `@stentor-broadcast/client/compression`. */
  readonly unpacker?: NewUnpacker | undefined;
  /** Default: the platform's, or that of the `ws` package. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** Default: `{ baseMs: 500, maxMs: 30_000, jitterMs: 1000, stableAfterMs: 5000 }`. */
  readonly backoff?: Loose<BackoffOptions> | undefined;
  /** Default: `{ queueMax: 1000, onFull: 'reject', budgetMs: 60_000, inFlightMax: 32 }`. */
  readonly publish?: Loose<PublishQueueOptions> | undefined;
  /** Timeout of a connection attempt, including getting the token. Default: 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Timeout of a subscribe or a history request. Default: 10 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Maximum time for the answer to a ping; the server sets the interval. Default: 5 s. */
  readonly pongTimeoutMs?: number | undefined;
  /** Maximum number of unanswered calls and history requests. Default: 1,000. */
  readonly requestsMax?: number | undefined;
  /** Maximum number of items per topic that wait for a gap to be filled. Default: 10,000. */
  readonly holdItemsMax?: number | undefined;
  /** Number of keys per topic with `snapshot` whose latest item is kept for listeners that join later. Default: 10,000. */
  readonly stateKeysMax?: number | undefined;
  /** Bytes that may wait in the socket before volatile publishes are dropped. Default: 1 MiB. */
  readonly sendBufferBytesMax?: number | undefined;
  /** Interval of the `stats` event, while there is a listener. Default: 1 s. */
  readonly statsIntervalMs?: number | undefined;
}

export interface Settings {
  readonly urls: readonly string[];
  readonly token: TokenSource;
  readonly unpacker: NewUnpacker | undefined;
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

/** Undefined and null count as missing, also in `backoff` and `publish`. @throws InvalidError */
export function readOptions(options: ClientOptions): Settings {
  const { url, token, WebSocket, unpacker, backoff, publish } = options ?? {};
  const urls = (Array.isArray(url) && url.length > 0 ? [...url] : [url]).map(urlOf);
  const settings: Settings = {
    ...fill('', DEFAULTS, options),
    urls,
    token,
    WebSocket: WebSocket ?? undefined,
    unpacker: unpacker ?? undefined,
    backoff: fill('backoff.', BACKOFF, backoff ?? {}),
    publish: fill('publish.', PUBLISH, publish ?? {}),
  };
  assertFields({
    WebSocket: settings.WebSocket,
    unpacker: settings.unpacker,
    token: token ?? undefined,
    'publish.onFull': settings.publish.onFull,
  });
  return settings;
}

/** The given value, which must have the type of the default, or the default. Numbers must be valid for a timer. @throws InvalidError */
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

/** @returns undefined for no token: the connection is anonymous. @throws InvalidError if it is not text, and what the token function throws */
export async function getToken(source: TokenSource): Promise<string | undefined> {
  const token: unknown = typeof source === 'function' ? await source() : source;
  if (token === undefined || token === null || token === '') return undefined;
  if (typeof token !== 'string') throw unexpected('token', token, 'text');
  return token;
}

/** An unusable URL is refused immediately, if the platform can detect it. Otherwise it would be tried without end. */
function urlOf(source: UrlSource | undefined): string {
  const url = typeof source === 'string' ? source : source?.href;
  const { URL } = globalThis as { URL?: new (url: string) => unknown };
  try {
    if (url !== undefined && /^wss?:\/\/[^#]+$/i.test(url) && (URL === undefined || new URL(url))) return url;
  } catch {
    // Refused below, like the others.
  }
  throw unexpected('url', url, 'one like wss://example.org/ws');
}
