import { TurnTime } from '../turn-time.ts';

/**
 * Limits the time of a loop turn for requests without a connection, as `ReadTurns` does for messages. What does not fit waits, in order. It has no bound of its
 * own: the requests in flight are bounded.
 */
export class Turns {
  readonly #time: TurnTime;
  readonly #waiting: (() => void)[] = [];

  constructor(turnMs: number) {
    this.#time = new TurnTime({ turnMs, isWaiting: () => this.#waiting.length > 0, next: () => this.#waiting.shift()?.() });
  }

  /** Runs the work now or in a later turn. Only its synchronous part counts. */
  run<T>(work: () => Promise<T>): Promise<T> {
    this.#time.arm();
    if (this.#waiting.length === 0 && this.#time.isLeft) return this.#measure(work);
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.#measure(work))));
  }

  #measure<T>(work: () => Promise<T>): Promise<T> {
    const startMs = this.#time.start();
    try {
      return work();
    } finally {
      this.#time.spent(startMs);
    }
  }
}
