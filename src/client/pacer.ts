/** Share of the server's message rate that is used: what is refused there is refused unread, without its id, and counts as an error. */
const RATE_SHARE = 0.9;

/**
 * A token bucket under the server's own: that one holds two seconds' worth and refills at the full rate, this one holds one and refills slower, so it runs
 * dry first, with room left for pings, which do not ask.
 */
export class Pacer {
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #atMs: number;

  constructor(messagesPerSecondMax: number, nowMs: number) {
    this.#perMs = (messagesPerSecondMax * RATE_SHARE) / 1000;
    this.#capacity = Math.max(1, messagesPerSecondMax);
    this.#tokens = this.#capacity;
    this.#atMs = nowMs;
  }

  /** Takes one message's token. @returns 0, or the milliseconds until there will be one */
  take(nowMs: number): number {
    if (nowMs > this.#atMs) {
      this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
      this.#atMs = nowMs;
    }
    if (this.#tokens < 1) return Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMs) + Math.max(0, this.#atMs - nowMs));
    this.#tokens--;
    return 0;
  }

  /** The server says that it was too much after all. */
  pause(untilMs: number): void {
    this.#tokens = 0;
    this.#atMs = Math.max(this.#atMs, untilMs);
  }
}
