/** The state of a token bucket; two fields of the limited object, so that a limit needs no object. */
export interface Bucket {
  rateTokens: number;
  rateAtMs: number;
}

/**
 * Takes one token, even if there is none: a client above the rate goes into debt, and must wait until it is paid. The bucket has twice the rate.
 * @returns 0 if there was one; otherwise the milliseconds until the debt is paid; `flood` if it is more than twice the rate
 */
export function oweToken(bucket: Bucket, perSecond: number, nowMs: number): number | 'flood' {
  // A wall clock that steps back gives nothing and takes nothing.
  const elapsedMs = Math.max(0, nowMs - bucket.rateAtMs);
  bucket.rateTokens = Math.min(perSecond * 2, bucket.rateTokens + (elapsedMs / 1000) * perSecond) - 1;
  bucket.rateAtMs = nowMs;
  if (bucket.rateTokens >= 0) return 0;
  return bucket.rateTokens < -2 * perSecond ? 'flood' : Math.ceil((-bucket.rateTokens / perSecond) * 1000);
}

/**
 * Takes one token. The bucket has twice the rate, so a client may burst for a second and then keep the rate.
 * @returns 0 if there was one, otherwise the milliseconds until there is one
 */
export function takeToken(bucket: Bucket, perSecond: number, nowMs: number): number {
  // A wall clock that steps back gives nothing and takes nothing.
  const elapsedMs = Math.max(0, nowMs - bucket.rateAtMs);
  const refilled = bucket.rateTokens + (elapsedMs / 1000) * perSecond;
  bucket.rateTokens = Math.min(perSecond * 2, refilled);
  bucket.rateAtMs = nowMs;
  if (bucket.rateTokens < 1) return Math.ceil(((1 - bucket.rateTokens) / perSecond) * 1000);
  bucket.rateTokens--;
  return 0;
}

/** A bucket without use for so long is full, so nothing is lost with it. */
const REFILL_MS = 2000;

/** Token buckets by name, of names that strangers choose. Above the bound the one without use for the longest is forgotten: its name gets a new burst. */
export class RateLimits {
  readonly #perSecond: number;
  readonly #namesMax: number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, namesMax: number) {
    this.#perSecond = perSecond;
    this.#namesMax = namesMax;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** As {@link takeToken}, but the first burst is the rate. @param nowMs of a clock that does not step back */
  take(name: string, nowMs: number): number {
    const bucket = this.#buckets.get(name) ?? { rateTokens: this.#perSecond, rateAtMs: nowMs };
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size > this.#namesMax) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return takeToken(bucket, this.#perSecond, nowMs);
  }

  /** Forgets those whose buckets are full. Call about once a second, or where many may come. */
  forgetFull(nowMs: number): void {
    for (const [name, { rateAtMs }] of this.#buckets) {
      if (nowMs - rateAtMs < REFILL_MS) return;
      this.#buckets.delete(name);
    }
  }
}
