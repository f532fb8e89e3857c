import { BusError } from './bus-error.ts';

/** Runs up to `runningMax` tasks at the same time, lets up to `waitingMax` wait in order, and refuses more. */
export class Limiter {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  #waiting: (() => void)[] = [];
  #running = 0;

  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  /** @throws BusError `bus_busy`, or what the task throws */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#runningMax) await this.#wait();
    else this.#running++;
    try {
      return await task();
    } finally {
      // The place is passed to the next task directly, so that no other task can take it in between.
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else this.#running--;
    }
  }

  #wait(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      return Promise.reject(new BusError('bus_busy', `${this.#waitingMax} reads of the log are already waiting`));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
