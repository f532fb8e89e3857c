import type { Flusher } from './flush.ts';
import type { Variant } from './variant.ts';

/** A topic with more members waits for the pass. */
const MEMBERS_MAX = 128;
/** Of the loop's time, what the express may take beside the passes: a send that it makes alone saves nobody one. */
const TIME_SHARE = 0.03;
const SENDS_MAX = 150;
/** More need not be looked at each turn: where so many are small, the passes serve them. */
const WAITING_MAX = 256;

/**
 * Small topics that leave whole, beside the passes: while a pass or a pacing delay lasts, a topic of five members does not wait for one of 17,000, nor for the
 * batches of others to grow. Bounded in time, so that where all topics are small the passes still do the work; the smallest go first.
 */
export class Express {
  readonly #flusher: Flusher;
  #waiting: Variant[] = [];
  #sends = SENDS_MAX;
  #atMs = 0;

  constructor(flusher: Flusher) {
    this.#flusher = flusher;
  }

  want(variant: Variant): void {
    if (variant.isExpress || variant.feed.members > MEMBERS_MAX || this.#waiting.length >= WAITING_MAX) return;
    variant.isExpress = true;
    this.#waiting.push(variant);
  }

  /** @param sendMs what one send costs the loop */
  serve(nowMs: number, tick: number, sendMs: number): void {
    this.#sends = Math.min(SENDS_MAX, this.#sends + ((nowMs - this.#atMs) * TIME_SHARE) / sendMs);
    this.#atMs = nowMs;
    if (this.#waiting.length === 0) return;
    // What a pass has served meanwhile needs nothing.
    const waiting = this.#waiting.filter((variant) => {
      variant.isExpress = variant.isBehind;
      return variant.isExpress;
    });
    if (waiting.length > 1) waiting.sort((a, b) => a.feed.members - b.feed.members);
    const served = this.#affordable(waiting);
    this.#flusher.beginVisit(served.flatMap(({ shards }) => shards));
    for (const variant of served) this.#serve(variant, nowMs, tick);
    this.#flusher.endVisit();
    this.#waiting = waiting.slice(served.length);
  }

  /** The first of them, as far as the budget goes; they are paid for. */
  #affordable(waiting: readonly Variant[]): readonly Variant[] {
    let count = 0;
    for (const { feed } of waiting) {
      if (feed.members > this.#sends) break;
      this.#sends -= Math.max(1, feed.members);
      count++;
    }
    return waiting.slice(0, count);
  }

  #serve(variant: Variant, nowMs: number, tick: number): void {
    const { next } = variant.feed.ring;
    variant.isExpress = false;
    this.#flusher.finish(variant);
    for (const shard of variant.shards) if (shard.cursor < next) this.#flusher.flush(shard, nowMs, tick);
    this.#flusher.finish(variant);
  }
}
