/** How far apart passes are. */
export interface Pace {
  /** A group has had its visit. @param elapsedMs since the visit before */
  visited(connections: number, deliveries: number, elapsedMs: number): void;
  /**
   * From the start of a pass to the start of the next; 0: no delay.
   * @param sendMs what one send costs the loop
   */
  periodMs(nowMs: number, sendMs: number): number;
}

/**
 * Makes each `send()` carry more publications where that is worth the wait. A send costs the same for 1 publication as for 16, so groups are visited once a
 * period if two things hold: the loop would be busy if every delivery were a send of its own, and connections get publications so fast that a period joins
 * several of them. Both are properties of the feed, not of how it is sent just now: so the period settles, and grows and falls with the feed.
 *
 * Measured on 2 shared vCPUs: loadtest/README.md, targets 1, F2, W1, W2 and W7.
 */
export class Pacing implements Pace {
  readonly #periodMaxMs: number;
  /** Deliveries, and the time in which connections could get them, of about the last second: older ones fade. */
  #deliveries = 0;
  #connectionMs = 0;
  #atMs = 0;

  /** @param periodMaxMs 0: no delay, ever */
  constructor(periodMaxMs: number) {
    this.#periodMaxMs = periodMaxMs;
  }

  visited(connections: number, deliveries: number, elapsedMs: number): void {
    this.#deliveries += deliveries;
    this.#connectionMs += connections * Math.min(elapsedMs, FADE_MS);
  }

  periodMs(nowMs: number, sendMs: number): number {
    this.#fade(nowMs);
    if (this.#connectionMs === 0) return 0;
    const load = (this.#deliveries / FADE_MS) * sendMs;
    const joined = (this.#deliveries / this.#connectionMs) * this.#periodMaxMs;
    return this.#periodMaxMs * between(load, LOAD) * between(joined, JOINED);
  }

  #fade(nowMs: number): void {
    const factor = Math.exp((this.#atMs - nowMs) / FADE_MS);
    this.#deliveries *= factor;
    this.#connectionMs *= factor;
    this.#atMs = nowMs;
  }
}

const FADE_MS = 1000;
/** The loop's load if every delivery were a send: up to the first no delay, from the second on all of it. */
const LOAD = [0.5, 1] as const;
/** Publications that a connection gets in the longest period: likewise. */
const JOINED = [1.5, 3] as const;

function between(value: number, [none, all]: readonly [number, number]): number {
  return Math.min(1, Math.max(0, (value - none) / (all - none)));
}
