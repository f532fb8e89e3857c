const TICK_MS = 1000;
/** The lag is the longest of so many seconds. */
const TICKS = 10;

/** How late timers are in this process: the longest delay within the last ten seconds. It costs one wake-up a second, and less than perf_hooks' histogram. */
export class LoopLag {
  readonly #delays = new Float64Array(TICKS);
  #at = 0;
  #lastMs = performance.now();
  readonly #timer = setInterval(() => this.tick(performance.now()), TICK_MS).unref();

  get maxMs(): number {
    return Math.max(...this.#delays);
  }

  tick(nowMs: number): void {
    this.#delays[this.#at] = Math.max(0, nowMs - this.#lastMs - TICK_MS);
    this.#at = (this.#at + 1) % TICKS;
    this.#lastMs = nowMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** What this process uses; `cpuMs` since it started. */
export function processFigures(loopLag: Pick<LoopLag, 'maxMs'>) {
  const { user, system } = process.cpuUsage();
  return { pid: process.pid, memoryBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000, loopLagMs: loopLag.maxMs };
}
