import { BugError } from './errors.ts';

/** Maximum of setTimeout; a longer delay would fire immediately. */
const DELAY_MS_MAX = 0x7fffffff;

/** One timer that is set repeatedly. Setting it replaces the previous setting. */
export class Timer {
  readonly #onDue: () => void;
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  get isSet(): boolean {
    return this.#handle !== undefined;
  }

  /** @throws BugError if the delay is not finite: a timer would treat it as 0, and the caller would loop without a pause */
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
