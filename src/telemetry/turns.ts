import { TurnTime } from './turn-time.ts';

/** Limits the time of a loop turn for one kind of work. What does not fit waits, in order. It has no bound of its own: the caller bounds what is in flight. */
export class Turns {
  readonly #time: TurnTime;
  readonly #waiting: (() => void)[] = [];

  constructor(turnMs: number) {
    this.#time = new TurnTime({ turnMs, isWaiting: () => this.#waiting.length > 0, next: () => this.#waiting.shift()?.() });
  }

  /** Runs the work now or in a later turn. Only its synchronous part counts. @param work must not throw, but may reject */
  run<T>(work: () => Promise<T>): Promise<T> {
    this.#time.arm();
    if (this.#waiting.length === 0 && this.#time.isLeft) return this.#measure(work);
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.#measure(work))));
  }

  #measure<T>(work: () => Promise<T>): Promise<T> {
    let result!: Promise<T>;
    this.#time.spend(() => {
      result = work();
      return false;
    });
    return result;
  }
}
