import type { BackoffOptions } from './backoff.ts';
import { InvalidError } from './errors.ts';
import type { PublishQueueOptions } from './publish-queue.ts';
import type { WebSocketConstructor } from './websocket.ts';

export type TokenSource = string | (() => string | undefined | Promise<string | undefined>);

export interface ClientOptions {
  /** `wss://host/ws`, or several, which are tried in turn. */
  readonly url: string | readonly string[];
  /**
   * The JWT, or a function that gets one: called before every connection and before the token expires. Undefined: connect without. A function that throws an
   * UnauthorizedError stops the client; any other error counts as a failed attempt.
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
  /** Bytes that may wait in the socket before volatile publishes are dropped. Default: 1 MiB. */
  readonly sendBufferBytesMax?: number;
  /** How often the `stats` event comes, while somebody listens. Default: 1 s. */
  readonly statsIntervalMs?: number;
}

export interface Settings {
  readonly urls: readonly string[];
  readonly token: TokenSource | undefined;
  readonly compression: boolean;
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly backoff: BackoffOptions;
  readonly publish: PublishQueueOptions;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly pongTimeoutMs: number;
  readonly requestsMax: number;
  readonly holdItemsMax: number;
  readonly sendBufferBytesMax: number;
  readonly statsIntervalMs: number;
}

/** @throws InvalidError */
export function readOptions(options: ClientOptions): Settings {
  const urls = typeof options.url === 'string' ? [options.url] : [...options.url];
  if (urls.length === 0) throw new InvalidError('url: one at least');
  for (const url of urls) if (!/^wss?:\/\/./.test(url)) throw new InvalidError(`url ${url}: expected one like wss://example.org/ws`);
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
    sendBufferBytesMax: options.sendBufferBytesMax ?? 1_048_576,
    statsIntervalMs: options.statsIntervalMs ?? 1000,
  };
  assertNumbers('', settings);
  assertNumbers('backoff.', settings.backoff);
  assertNumbers('publish.', settings.publish);
  return settings;
}

function assertNumbers(path: string, settings: object): void {
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === 'number' && !(value >= 0 && value <= 0x7fffffff)) throw new InvalidError(`${path}${name} ${value}: out of range`);
  }
}
