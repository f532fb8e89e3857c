import { makeClock } from './platform.ts';

/** Samples remembered: old ones go, so that the estimate follows a clock that drifts or was set. */
const SAMPLES_MAX = 16;

interface Sample {
  readonly rttMs: number;
  readonly offsetMs: number;
}

let clock: (() => number) | undefined;

/** Milliseconds since 1970 with fractions, on the monotonic clock where there is one: a step of the wall clock neither stalls nor hurries a timer. */
export function nowMs(): number {
  clock ??= makeClock();
  return clock();
}

/**
 * How far the server's clock is ahead of ours. A ping's answer carries the server's time, taken somewhere on the round trip: the shorter the trip, the less
 * that "somewhere" matters, so of the recent samples the one with the shortest trip counts. Its error is half that trip at most.
 */
export class ClockEstimate {
  readonly #samples: Sample[] = [];
  #best: Sample | undefined;

  /** @returns true when the sample proves that a clock was set, or stood still while the machine slept: what was measured before is void */
  add(sentAtMs: number, receivedAtMs: number, serverTimeMs: number): boolean {
    const rttMs = receivedAtMs - sentAtMs;
    const offsetMs = serverTimeMs - (sentAtMs + rttMs / 2);
    if (!(rttMs >= 0) || !Number.isFinite(offsetMs)) return false;
    const best = this.#best;
    // Further apart than both may err.
    const isOff = best !== undefined && Math.abs(offsetMs - best.offsetMs) > (rttMs + best.rttMs) / 2;
    if (isOff) this.reset();
    this.#samples.push({ rttMs, offsetMs });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    this.#best = this.#samples.reduce((shortest, sample) => (sample.rttMs < shortest.rttMs ? sample : shortest));
    return isOff;
  }

  /** For a new connection: another node has another clock, and our own may have stood still meanwhile (a laptop that slept). */
  reset(): void {
    this.#samples.length = 0;
    this.#best = undefined;
  }

  /** Server time minus ours; undefined before the first sample. */
  get offsetMs(): number | undefined {
    return this.#best?.offsetMs;
  }

  /** The shortest recent round trip. */
  get rttMs(): number | undefined {
    return this.#best?.rttMs;
  }
}
