import { createHistogram } from 'node:perf_hooks';
import { AlignedInterval } from './aligned-interval.ts';

const TICK_MS = 500;
/** The lag is the longest of so many ticks: ten seconds. */
const TICKS = 20;
/** Of the histogram, in microseconds: an hour. */
const DELAY_MAX_US = 3_600_000_000;

/**
 * How late timers are in this process. It costs a wake-up each half second, which other timers share. The histogram of perf_hooks is not used: it has a timer of
 * its own, whose wake-ups were the most of what an idle node did.
 */
export class LoopLag {
  readonly #delays = new Float64Array(TICKS);
  readonly #sinceScrape = createHistogram({ lowest: 1, highest: DELAY_MAX_US, figures: 2 });
  #at = 0;
  readonly #ticks = new AlignedInterval(TICK_MS, (lateMs) => this.tick(lateMs));

  /** The longest delay within the last ten seconds. */
  get maxMs(): number {
    return Math.max(...this.#delays);
  }

  /** Since the last scrape, in seconds. */
  get p99Seconds(): number {
    return this.#sinceScrape.percentile(99) / 1e6;
  }

  /** The longest delay since the last scrape, in seconds; this is a scrape. */
  takeMaxSeconds(): number {
    const { max } = this.#sinceScrape;
    this.#sinceScrape.reset();
    return max / 1e6;
  }

  tick(lateMs: number): void {
    this.#delays[this.#at] = lateMs;
    this.#at = (this.#at + 1) % TICKS;
    this.#sinceScrape.record(Math.min(DELAY_MAX_US, Math.max(1, Math.round(lateMs * 1000))));
  }

  stop(): void {
    this.#ticks.stop();
  }
}

/** What this process uses; `cpuMs` since it started. */
export function processFigures(loopLag: Pick<LoopLag, 'maxMs'>) {
  const { user, system } = process.cpuUsage();
  return { pid: process.pid, memoryBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000, loopLagMs: loopLag.maxMs };
}
