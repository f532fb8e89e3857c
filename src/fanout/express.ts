import type { Flusher } from './flush.ts';
import type { Variant } from './variant.ts';

/** A topic with more members waits for the pass. */
const MEMBERS_MAX = 128;
/** Share of the loop's time that the express may use in addition to the passes: its sends are not shared with other topics. */
const TIME_SHARE = 0.03;
const SENDS_MAX = 150;
/** More need not be checked each turn: if so many topics are small, the passes serve them. */
const WAITING_MAX = 256;

/**
 * Sends small topics separately from the passes: during a pass or a pacing delay, a topic of five members waits neither for one of 17,000, nor for the batches
 * of others to grow. Its time is limited, so that if all topics are small the passes still do the work. The smallest topics go first.
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

  /** @param sendMs cost of one send for the loop */
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
    for (const variant of served) this.#serve(variant, nowMs, tick);
    this.#waiting = waiting.slice(served.length);
  }

  /** The first of them that fit into the budget, which is charged for them. */
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
    for (const shard of variant.shards) {
      // What a pass has prepared for its members waits for the visits of their groups.
      if (shard.nativeTopic === undefined) this.#flusher.send(shard, nowMs, tick);
      else if (shard.cursor < next) this.#flusher.publish(shard, nowMs, tick);
    }
    this.#flusher.finish(variant);
  }
}
