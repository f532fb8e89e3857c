/** Decides the time between passes. */
export interface Pace {
  /** A group has been visited. @param elapsedMs since the previous visit */
  visited(connections: number, deliveries: number, elapsedMs: number): void;
  /** Time from the start of a pass to the start of the next; 0: no delay. @param sendMs cost of one send for the loop */
  periodMs(nowMs: number, sendMs: number): number;
}

/**
 * Makes each `send()` carry more publications if that is worth the wait. A send costs the same for 1 publication as for 16. So groups are visited once per
 * period if two things are true: the loop would be busy if every delivery were a separate send, and connections get publications so fast that a period joins
 * several of them. Both are properties of the feed, not of how it is sent at the moment. So the period settles, and rises and falls with the feed.
 *
 * Measured on 2 shared vCPUs: loadtest/MEASURED.md, targets 1, F2, W1, W2 and W7.
 */
export class Pacing implements Pace {
  readonly #periodMaxMs: number;
  /** Deliveries, and the time in which connections could receive them, of about the last second; older ones fade. */
  #deliveries = 0;
  #connectionMs = 0;
  #atMs = 0;

  /** @param periodMaxMs 0: never any delay */
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
/** The loop's load if every delivery were a separate send: no delay up to the first value, the full delay from the second on. */
const LOAD = [0.5, 1] as const;
/** Publications that a connection gets in the longest period: likewise. */
const JOINED = [1.5, 3] as const;

function between(value: number, [none, all]: readonly [number, number]): number {
  return Math.min(1, Math.max(0, (value - none) / (all - none)));
}
