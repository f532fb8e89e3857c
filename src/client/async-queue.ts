import { OverflowError } from './errors.ts';

export interface IterationOptions {
  /** Values that may wait for whoever iterates. Default 1,024. */
  readonly bufferMax?: number;
  /**
   * At the bound: end the iteration with an OverflowError (default: a gap is never silent), or let the oldest or the newest go, which
   * {@link AsyncQueue.dropped} counts.
   */
  readonly onFull?: 'fail' | 'dropOldest' | 'dropNewest';
}

const BUFFER_MAX = 1024;

/** Values pushed by events and pulled by `for await`, with a bound between the two. */
export class AsyncQueue<T> implements AsyncIterableIterator<T> {
  /** Values let go for want of room. */
  dropped = 0;
  readonly #bufferMax: number;
  readonly #onFull: 'fail' | 'dropOldest' | 'dropNewest';
  readonly #onEnd: () => void;
  readonly #values: T[] = [];
  readonly #waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];
  #ended = false;
  #error: unknown;

  /** @param onEnd called once, however it ends */
  constructor({ bufferMax = BUFFER_MAX, onFull = 'fail' }: IterationOptions, onEnd: () => void) {
    this.#bufferMax = Math.max(1, bufferMax);
    this.#onFull = onFull;
    this.#onEnd = onEnd;
  }

  push(value: T): void {
    if (this.#ended) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting.resolve({ value, done: false });
    if (this.#values.length < this.#bufferMax) {
      this.#values.push(value);
      return;
    }
    if (this.#onFull === 'fail') return this.end(new OverflowError(`${this.#bufferMax} values wait to be read`));
    this.dropped++;
    if (this.#onFull === 'dropNewest') return;
    this.#values.shift();
    this.#values.push(value);
  }

  /** What waits is still read; then the iteration ends, with the error if there is one. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#error === undefined) resolve({ value: undefined, done: true });
      else reject(this.#takeError());
    }
    this.#onEnd();
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#values.length > 0) return Promise.resolve({ value: this.#values.shift() as T, done: false });
    if (this.#error !== undefined) return Promise.reject(this.#takeError());
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #takeError(): unknown {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }
}
