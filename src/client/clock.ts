/** Samples remembered: old ones go, so that the estimate follows a clock that drifts or was set. */
const SAMPLES_MAX = 16;

interface Sample {
  readonly rttMs: number;
  readonly offsetMs: number;
}

/** Milliseconds since 1970 with fractions, on the monotonic clock: a step of the wall clock neither stalls nor hurries a timer. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * How far the server's clock is ahead of ours. A ping's answer carries the server's time, taken somewhere on the round trip: the shorter the trip, the less
 * that "somewhere" matters, so of the recent samples the one with the shortest trip counts. Its error is half that trip at most.
 */
export class ClockEstimate {
  readonly #samples: Sample[] = [];
  #best: Sample | undefined;

  add(sentAtMs: number, receivedAtMs: number, serverTimeMs: number): void {
    const rttMs = receivedAtMs - sentAtMs;
    if (!(rttMs >= 0)) return;
    this.#samples.push({ rttMs, offsetMs: serverTimeMs - (sentAtMs + rttMs / 2) });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    this.#best = this.#samples.reduce((best, sample) => (sample.rttMs < best.rttMs ? sample : best));
  }

  /** Another node has another clock. */
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
