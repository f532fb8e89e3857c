/** Messages that come faster than this, on average, are joined. */
const FAST_GAP_MS = 1.25;
/** Joining ends when they come slower than this. */
const SLOW_GAP_MS = 2;
/** The average adapts after a pause, however long, within some thirty messages; in a shorter burst nothing waits. */
const GAP_MAX_MS = 16;
const WEIGHT = 1 / 8;

/**
 * Decides when to write. A write, including waking the other end for it, costs some 45 µs here. So messages that come fast are joined: at 1,000 a second, with
 * four in a write, the node spends three quarters per publication of what it spends with one in each. At 250 a second nothing would be joined, and the wait
 * itself costs a wake-up. So these are written immediately.
 */
export class WritePace {
  readonly #batchMs: number;
  #gapMs = GAP_MAX_MS;
  #wroteAtMs = Number.NEGATIVE_INFINITY;
  #isFast = false;

  /** @param batchMs time between two writes while messages come fast; 0: nothing ever waits */
  constructor(batchMs: number) {
    this.#batchMs = batchMs;
  }

  /** For how long the first message since the last write waits for others; 0: it does not wait. */
  waitMs(nowMs: number): number {
    return this.#isFast ? Math.max(0, this.#wroteAtMs + this.#batchMs - nowMs) : 0;
  }

  wrote(nowMs: number, messages: number): void {
    const gapMs = Math.min(GAP_MAX_MS, (nowMs - this.#wroteAtMs) / messages);
    this.#gapMs += (gapMs - this.#gapMs) * WEIGHT;
    this.#isFast = this.#gapMs < (this.#isFast ? SLOW_GAP_MS : FAST_GAP_MS);
    this.#wroteAtMs = nowMs;
  }
}
