import type { ClockEstimate } from './clock.ts';
import { nowMs } from './clock.ts';
import { Histogram } from './histogram.ts';
import { type Counters, newCounters, type Stats } from './stats.ts';

/** What is counted and measured, and when it is told. */
export class Meter {
  readonly counters: Counters = newCounters();
  readonly #intervalMs: number;
  readonly #emit: () => void;
  readonly #all = new Histogram();
  readonly #recent = new Histogram();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param emit called every interval while {@link run} says so */
  constructor(intervalMs: number, emit: () => void) {
    this.#intervalMs = Math.max(10, intervalMs);
    this.#emit = emit;
  }

  run(wanted: boolean): void {
    if (wanted === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = wanted ? setInterval(this.#emit, this.#intervalMs) : undefined;
    this.#recent.reset();
  }

  observeLatency(sentAtMs: number, items: number, clock: ClockEstimate): void {
    if (clock.offsetMs === undefined) return;
    const latencyMs = nowMs() + clock.offsetMs - sentAtMs;
    this.#all.add(latencyMs, items);
    if (this.#timer !== undefined) this.#recent.add(latencyMs, items);
  }

  /** @param recent latencies since the last such question only */
  stats(clock: ClockEstimate, publishesWaiting: number, recent: boolean): Stats {
    const latency = (recent ? this.#recent : this.#all).summary();
    if (recent) this.#recent.reset();
    return { ...this.counters, latency, clockOffsetMs: clock.offsetMs, rttMs: clock.rttMs, publishesWaiting };
  }
}
