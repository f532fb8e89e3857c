import { BugError } from './errors.ts';

/** setTimeout's ceiling; a longer delay would fire at once. */
const DELAY_MS_MAX = 0x7fffffff;

/** One timer that is set again and again; setting it replaces what was set before. */
export class Timer {
  readonly #onDue: () => void;
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  get isSet(): boolean {
    return this.#handle !== undefined;
  }

  /** @throws BugError for a delay that is no finite number: as a timer's it would be 0, and a loop that waits by it would be a hot one */
  set(delayMs: number): void {
    if (!Number.isFinite(delayMs)) throw new BugError(`a timer was set to ${delayMs} ms`);
    this.clear();
    this.#handle = setTimeout(
      () => {
        this.#handle = undefined;
        this.#onDue();
      },
      Math.min(DELAY_MS_MAX, Math.max(0, delayMs)),
    );
  }

  clear(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }
}
