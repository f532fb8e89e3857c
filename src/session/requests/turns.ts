/**
 * Limits the time of a loop turn for requests without a connection, as `ReadTurns` does for messages. What does not fit waits, in order. It has no bound of its
 * own: the requests in flight are bounded.
 */
export class Turns {
  readonly #turnMs: number;
  readonly #nowMs: () => number;
  #waiting: (() => void)[] = [];
  #spentMs = 0;
  #armed = false;

  constructor(turnMs: number, nowMs = () => performance.now()) {
    this.#turnMs = turnMs;
    this.#nowMs = nowMs;
  }

  /** Runs the work now or in a later turn. Only its synchronous part counts. */
  run<T>(work: () => Promise<T>): Promise<T> {
    this.#arm();
    if (this.#waiting.length === 0 && this.#spentMs < this.#turnMs) return this.#measure(work);
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.#measure(work))));
  }

  #measure<T>(work: () => Promise<T>): Promise<T> {
    const startMs = this.#nowMs();
    try {
      return work();
    } finally {
      this.#spentMs += this.#nowMs() - startMs;
    }
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      this.#spentMs = 0;
      let ran = 0;
      while (ran < this.#waiting.length && this.#spentMs < this.#turnMs) (this.#waiting[ran++] as () => void)();
      this.#waiting.splice(0, ran);
      if (this.#waiting.length > 0) this.#arm();
    });
  }
}
