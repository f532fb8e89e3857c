import { BusError } from './bus.ts';

/** Runs `runningMax` tasks at once, keeps `waitingMax` waiting in order, and refuses more. */
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
      // The place is handed over, not given back: nobody may slip in between.
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else this.#running--;
    }
  }

  #wait(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      return Promise.reject(new BusError('bus_busy', `${this.#waitingMax} reads of the log wait already`));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
