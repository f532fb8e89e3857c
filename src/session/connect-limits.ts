import type { Config } from '../config/schema.ts';
import { type Bucket, RateLimits, takeToken } from '../telemetry/rate-limit.ts';
import type { RequestRefused } from '../transport/transport.ts';

export interface ConnectLimitsOptions {
  readonly limits: Pick<Config['limits'], 'connectsPerSecondMax' | 'connectionsPerAddressMax' | 'connectsPerAddressPerSecondMax'>;
  readonly addressesMax: number;
  /** The limits of an address are those of the node: each worker has an equal share. */
  readonly workers: number;
  readonly metrics: { connectRefused(limit: ConnectLimit): void };
}

/** The setting that refuses a connect. */
export type ConnectLimit = keyof ConnectLimitsOptions['limits'];

/** An address that has too many connections has them for a while; an exceeded rate does not last. */
const FULL_RETRY_MS = 5000;
const TOO_FAST_RETRY_MS = 1000;

const REFUSALS: Readonly<Record<ConnectLimit, RequestRefused>> = {
  connectsPerSecondMax: {
    kind: 'refused',
    code: 'unavailable',
    message: 'more connects per second than limits.connectsPerSecondMax',
    retryAfterMs: TOO_FAST_RETRY_MS,
  },
  connectionsPerAddressMax: {
    kind: 'refused',
    code: 'too_many_connections',
    message: 'your address has as many connections as limits.connectionsPerAddressMax',
    retryAfterMs: FULL_RETRY_MS,
  },
  connectsPerAddressPerSecondMax: {
    kind: 'refused',
    code: 'rate_limited',
    message: 'more connects per second from your address than limits.connectsPerAddressPerSecondMax',
    retryAfterMs: TOO_FAST_RETRY_MS,
  },
};

/** Bounds how many clients connect to a worker in a second, and how many connections and connects a second each address has. */
export class ConnectLimits {
  readonly #options: ConnectLimitsOptions;
  readonly #perAddressMax: number;
  readonly #perAddressPerSecondMax: number;
  readonly #all: Bucket;
  /** Not more entries than connections. */
  readonly #open = new Map<string, number>();
  readonly #rates: RateLimits;

  constructor(options: ConnectLimitsOptions) {
    const { limits, workers } = options;
    const share = (max: number) => Math.ceil(max / Math.max(1, workers));
    this.#options = options;
    this.#perAddressMax = share(limits.connectionsPerAddressMax);
    this.#perAddressPerSecondMax = share(limits.connectsPerAddressPerSecondMax);
    this.#rates = new RateLimits(this.#perAddressPerSecondMax, options.addressesMax);
    this.#all = { rateTokens: limits.connectsPerSecondMax, rateAtMs: performance.now() };
  }

  /** Addresses of which something is known. */
  get addresses(): number {
    return Math.max(this.#open.size, this.#rates.size);
  }

  /** Counts a connect against the rates. Those of its address come first, so that one address does not use up the rate of all. @returns undefined: it is permitted */
  take(address: string, nowMs: number): RequestRefused | undefined {
    const limit = this.#exceeded(address, nowMs);
    if (limit === undefined) return undefined;
    this.#options.metrics.connectRefused(limit);
    return REFUSALS[limit];
  }

  /** @returns what to call {@link closed} with: empty, and no text to keep for each connection, if connections are not counted */
  opened(address: string): string {
    if (this.#perAddressMax === 0) return '';
    this.#open.set(address, (this.#open.get(address) ?? 0) + 1);
    return address;
  }

  closed(address: string): void {
    const left = (this.#open.get(address) ?? 0) - 1;
    if (left > 0) this.#open.set(address, left);
    else this.#open.delete(address);
  }

  /** Forgets addresses whose buckets are full. Call about once a second. */
  forgetFull(nowMs: number): void {
    this.#rates.forgetFull(nowMs);
  }

  #exceeded(address: string, nowMs: number): ConnectLimit | undefined {
    const perSecondMax = this.#perAddressPerSecondMax;
    if (this.#perAddressMax > 0 && (this.#open.get(address) ?? 0) >= this.#perAddressMax) return 'connectionsPerAddressMax';
    if (perSecondMax > 0 && this.#rates.take(address, nowMs) > 0) return 'connectsPerAddressPerSecondMax';
    const { connectsPerSecondMax } = this.#options.limits;
    if (connectsPerSecondMax > 0 && takeToken(this.#all, connectsPerSecondMax, nowMs) > 0) return 'connectsPerSecondMax';
    return undefined;
  }
}
