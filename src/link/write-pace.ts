/** Messages that come faster than this, on average, wait for each other. */
const FAST_GAP_MS = 1.25;
/** While they do, slower ones end it. */
const SLOW_GAP_MS = 2;
/** The average forgets a pause, however long, within some thirty messages; a burst that is shorter never waits. */
const GAP_MAX_MS = 16;
const WEIGHT = 1 / 8;

/**
 * When what waits to be written is written. A write, with waking the other end for it, costs some 45 µs here. So messages that come fast wait for each other:
 * at 1,000 a second the node spends three quarters on a publication with four in a write of what it spends with one in each. At 250 a second nothing would be
 * joined, and the wait itself costs a wake-up: they leave at once.
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

  /** How long the first message since the last write waits for others; 0: it does not. */
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
