/** Share of the server's rates that is used. What exceeds the server's rate is refused without being parsed, so without its id, and counts as an error. */
const RATE_SHARE = 0.9;

/**
 * A token bucket below the server's own. The server's has two seconds' worth and refills at the full rate. This one has one second's worth and refills slower,
 * so it is empty first, and leaves room for pings, which do not use it.
 */
export class Pacer {
  readonly #perMs: number;
  readonly #capacity: number;
  readonly #bytesPerMs: number;
  readonly #bytesCapacity: number;
  #tokens: number;
  /** Negative after a large message: the next one waits until it is zero again. */
  #bytes: number;
  #atMs: number;

  /** @param bytesPerSecondMax infinite for a server without such a limit */
  constructor(messagesPerSecondMax: number, nowMs: number, bytesPerSecondMax = Number.POSITIVE_INFINITY) {
    this.#perMs = (messagesPerSecondMax * RATE_SHARE) / 1000;
    this.#capacity = Math.max(1, messagesPerSecondMax);
    this.#bytesPerMs = (bytesPerSecondMax * RATE_SHARE) / 1000;
    this.#bytesCapacity = bytesPerSecondMax * RATE_SHARE;
    this.#tokens = this.#capacity;
    this.#bytes = this.#bytesCapacity;
    this.#atMs = nowMs;
  }

  /** Takes one message of this size. @returns 0, or the milliseconds until it may be sent */
  take(nowMs: number, bytes = 0): number {
    if (nowMs > this.#atMs) {
      const elapsedMs = nowMs - this.#atMs;
      this.#tokens = Math.min(this.#capacity, this.#tokens + elapsedMs * this.#perMs);
      this.#bytes = Math.min(this.#bytesCapacity, this.#bytes + elapsedMs * this.#bytesPerMs);
      this.#atMs = nowMs;
    }
    if (this.#tokens < 1 || this.#bytes < 0) {
      const waitMs = Math.max((1 - this.#tokens) / this.#perMs, this.#bytes < 0 ? -this.#bytes / this.#bytesPerMs : 0);
      return Math.max(1, Math.ceil(waitMs) + Math.max(0, this.#atMs - nowMs));
    }
    this.#tokens--;
    this.#bytes -= bytes;
    return 0;
  }

  spend(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** The server reports that the rate was exceeded. */
  pause(untilMs: number): void {
    this.#tokens = 0;
    this.#atMs = Math.max(this.#atMs, untilMs);
  }
}
