import { makeClock } from './platform.ts';

/** Number of samples to keep. Old ones are dropped, so that the estimate follows a clock that drifts or was set. */
const SAMPLES_MAX = 16;

interface Sample {
  readonly rttMs: number;
  readonly offsetMs: number;
}

let clock: (() => number) | undefined;

/** Milliseconds since 1970 with fractions, from the monotonic clock if there is one: setting the wall clock then does not affect timers. */
export function nowMs(): number {
  clock ??= makeClock();
  return clock();
}

/**
 * Estimates how far the server's clock is ahead of ours. The answer to a ping has the server's time at some moment of the round trip. A shorter round trip
 * gives a better estimate, so the recent sample with the shortest one is used. Its error is at most half of that round trip.
 */
export class ClockEstimate {
  readonly #samples: Sample[] = [];
  #best: Sample | undefined;

  /** @returns true if the sample shows that a clock was set, or stood still while the machine slept; earlier samples are then dropped */
  add(sentAtMs: number, receivedAtMs: number, serverTimeMs: number): boolean {
    const rttMs = receivedAtMs - sentAtMs;
    const offsetMs = serverTimeMs - (sentAtMs + rttMs / 2);
    if (!(rttMs >= 0) || !Number.isFinite(offsetMs)) return false;
    const best = this.#best;
    // They differ by more than their errors.
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
