/** So much before its time a timer counts as on time: Node counts from the start of the loop turn that set it. */
const EARLY_MS = 5;

/**
 * Like `setInterval`, at the multiples of the period on the clock of the process. So whatever a process does every second, every two or every ten, it does in
 * the same wake-ups, and wake-ups are what an idle node costs. It does not keep the process alive.
 */
export class AlignedInterval {
  readonly #periodMs: number;
  readonly #work: (lateMs: number) => void;
  #dueAtMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param work is told how late it is called */
  constructor(periodMs: number, work: (lateMs: number) => void) {
    this.#periodMs = periodMs;
    this.#work = work;
    const nowMs = performance.now();
    this.#dueAtMs = this.#multipleAfter(nowMs);
    this.#arm(nowMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #multipleAfter(nowMs: number): number {
    return (Math.floor(nowMs / this.#periodMs) + 1) * this.#periodMs;
  }

  #arm(nowMs: number): void {
    this.#timer = setTimeout(() => this.#fire(), Math.ceil(this.#dueAtMs - nowMs)).unref();
  }

  #fire(): void {
    const nowMs = performance.now();
    const lateMs = nowMs - this.#dueAtMs;
    if (lateMs >= -EARLY_MS) this.#dueAtMs = this.#multipleAfter(Math.max(nowMs, this.#dueAtMs));
    this.#arm(nowMs);
    if (lateMs >= -EARLY_MS) this.#work(Math.max(0, lateMs));
  }
}
