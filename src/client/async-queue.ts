import { assertFields } from './check.ts';
import { OverflowError } from './errors.ts';

export interface IterationOptions {
  /** Maximum number of values that wait to be read. Default 1,024. */
  readonly bufferMax?: number | undefined;
  /**
   * What happens when it is full: end the iteration with an OverflowError (the default, so that a gap is never silent), or drop the oldest or the newest value,
   * which {@link AsyncQueue.dropped} counts.
   */
  readonly onFull?: 'fail' | 'dropOldest' | 'dropNewest' | undefined;
}

const BUFFER_MAX = 1024;

/** Values that are pushed by events and read by `for await`, with a limit in between. */
export class AsyncQueue<T> implements AsyncIterableIterator<T> {
  /** Number of values dropped because the queue was full. */
  dropped = 0;
  readonly #bufferMax: number;
  readonly #onFull: 'fail' | 'dropOldest' | 'dropNewest';
  readonly #onEnd: () => void;
  readonly #stateMax: number;
  readonly #values: { readonly value: T; readonly isState: boolean }[] = [];
  /** Items of a topic's state among them. A state comes all at once, however large it is, so it has its own limit. */
  #states = 0;
  readonly #waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];
  #ended = false;
  #error: unknown;

  /**
   * @param stateMax additional limit for the items of a topic's state
   * @param onEnd called once, however it ends
   * @throws InvalidError
   */
  constructor({ bufferMax = BUFFER_MAX, onFull = 'fail' }: IterationOptions, stateMax: number, onEnd: () => void) {
    assertFields({ bufferMax, onFull });
    this.#bufferMax = Math.max(1, bufferMax);
    this.#stateMax = stateMax;
    this.#onFull = onFull;
    this.#onEnd = onEnd;
  }

  /** @param isState whether it belongs to a topic's state */
  push(value: T, isState = false): void {
    if (this.#ended) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting.resolve({ value, done: false });
    const [count, max] = isState ? [this.#states, this.#stateMax] : [this.#values.length - this.#states, this.#bufferMax];
    if (count >= max) {
      if (this.#onFull === 'fail') return this.end(new OverflowError(`${count} values wait to be read`));
      this.dropped++;
      if (this.#onFull === 'dropNewest') return;
      this.#take();
    }
    this.#values.push({ value, isState });
    if (isState) this.#states++;
  }

  /** Waiting values are still read. Then the iteration ends, with the error if there is one. */
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
    if (this.#values.length > 0) return Promise.resolve({ value: this.#take(), done: false });
    if (this.#error !== undefined) return Promise.reject(this.#takeError());
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    this.#states = 0;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): T {
    const { value, isState } = this.#values.shift() as { value: T; isState: boolean };
    if (isState) this.#states--;
    return value;
  }

  #takeError(): unknown {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }
}
