/**
 * How far apart the visits of a group are, so that each `send()` carries more publications where that is worth the wait.
 *
 * A send costs the same for 1 publication as for 16. So groups are visited once a period, if two things hold: the loop would be busy if every delivery were a
 * send of its own, and connections get publications fast enough that a period joins several of them. Both are properties of the feed, not of how it is sent
 * just now: so the period settles, and grows and falls with the feed. It is longer where a pass takes nearly all of it: the loop is left time for everything
 * else.
 *
 * Measured on 2 shared vCPUs: loadtest/README.md, targets 1, F2, W1, W2 and W7.
 */
export class Pacing {
  readonly #delayMaxMs: number;
  /** Deliveries, and the time in which connections could get them, of about the last second: older ones fade. */
  #deliveries = 0;
  #connectionMs = 0;
  #atMs = 0;

  /** @param delayMaxMs how long publications wait for each other at most; 0: not at all */
  constructor(delayMaxMs: number) {
    this.#delayMaxMs = delayMaxMs;
  }

  /** A group has had its visit. @param elapsedMs since the visit before */
  visited(connections: number, deliveries: number, elapsedMs: number): void {
    this.#deliveries += deliveries;
    this.#connectionMs += connections * Math.min(elapsedMs, FADE_MS);
  }

  /**
   * From the start of a pass to the start of the next, at least.
   * @param sendMs what one send costs the loop
   */
  periodMs(nowMs: number, sendMs: number): number {
    this.#fade(nowMs);
    return this.#delayMaxMs * this.#worth(sendMs);
  }

  /** 0: not worth any delay. 1: worth all of it. */
  #worth(sendMs: number): number {
    if (this.#connectionMs === 0) return 0;
    const load = (this.#deliveries / FADE_MS) * sendMs;
    const joined = (this.#deliveries / this.#connectionMs) * this.#delayMaxMs;
    return between(load, LOAD) * between(joined, JOINED);
  }

  #fade(nowMs: number): void {
    const factor = Math.exp((this.#atMs - nowMs) / FADE_MS);
    this.#deliveries *= factor;
    this.#connectionMs *= factor;
    this.#atMs = nowMs;
  }
}

const FADE_MS = 1000;
/** The loop's load if every delivery were a send: below the first no delay, from the second on all of it. */
const LOAD = [0.5, 1] as const;
/** Publications that a connection gets in a period: likewise. */
const JOINED = [1.5, 3] as const;

function between(value: number, [none, all]: readonly [number, number]): number {
  return Math.min(1, Math.max(0, (value - none) / (all - none)));
}
