/** What is due within this time is sent together. */
const TOGETHER_MS = 20;

/** When the items of a range are due that is played at so many times the speed at which it was stored. Pure: the time is passed in. */
export class ReplayPace {
  readonly #speed: number;
  /** When the first item is played, and when the log has stored it. */
  #start: { readonly nowMs: number; readonly publishedAtMs: number } | undefined;

  constructor(speed: number) {
    this.#speed = speed;
  }

  /** How long it is until the item is due; 0: it is. Where its times go back, it is due with the one before. */
  waitMs(publishedAtMs: number, nowMs: number): number {
    this.#start ??= { nowMs, publishedAtMs };
    return Math.max(0, this.#start.nowMs + (publishedAtMs - this.#start.publishedAtMs) / this.#speed - nowMs);
  }

  /** How many of the items, from `from` on, are due now, or so soon that they are sent together. At least one. */
  dueCount(items: readonly { readonly publishedAtMs: number }[], from: number, nowMs: number): number {
    let count = 1;
    for (let at = from + 1; at < items.length; at++, count++) {
      if (this.waitMs((items[at] as (typeof items)[0]).publishedAtMs, nowMs) > TOGETHER_MS) break;
    }
    return count;
  }
}
