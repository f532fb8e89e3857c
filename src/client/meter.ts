import type { ClockEstimate } from './clock.ts';
import { nowMs } from './clock.ts';
import { Histogram } from './histogram.ts';
import { type Counters, newCounters, type Stats } from './stats.ts';
import { Timer } from './timer.ts';

/** Counts, measures, and emits the statistics. */
export class Meter {
  readonly counters: Counters = newCounters();
  readonly #intervalMs: number;
  readonly #emit: () => void;
  readonly #all = new Histogram();
  readonly #recent = new Histogram();
  readonly #timer = new Timer(() => this.#tick());

  /** @param emit called every interval while {@link run} is on */
  constructor(intervalMs: number, emit: () => void) {
    this.#intervalMs = Math.max(10, intervalMs);
    this.#emit = emit;
  }

  run(wanted: boolean): void {
    if (wanted === this.#timer.isSet) return;
    if (wanted) this.#timer.set(this.#intervalMs);
    else this.#timer.clear();
    this.#recent.reset();
  }

  observeLatency(sentAtMs: number, items: number, clock: ClockEstimate): void {
    if (clock.offsetMs === undefined) return;
    const latencyMs = nowMs() + clock.offsetMs - sentAtMs;
    this.#all.add(latencyMs, items);
    if (this.#timer.isSet) this.#recent.add(latencyMs, items);
  }

  #tick(): void {
    this.#timer.set(this.#intervalMs);
    this.#emit();
  }

  /** @param recent only latencies since the last call with it */
  stats(clock: ClockEstimate, publishesWaiting: number, recent: boolean): Stats {
    const latency = (recent ? this.#recent : this.#all).summary();
    if (recent) this.#recent.reset();
    return { ...this.counters, latency, clockOffsetMs: clock.offsetMs, rttMs: clock.rttMs, publishesWaiting };
  }
}
