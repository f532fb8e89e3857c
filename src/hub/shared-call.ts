/**
 * Many ask, few calls are made: whoever asks gets the answer of a call that began after it asked, and all who asked before that call began get the
 * same one. At most one call is under way and one waits.
 */
export class SharedCall<T> {
  readonly #call: () => Promise<T>;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<T> | undefined;

  constructor(call: () => Promise<T>) {
    this.#call = call;
  }

  ask(): Promise<T> {
    if (this.#waiting !== undefined) return this.#waiting;
    const answer = this.#running.then(() => {
      this.#waiting = undefined;
      return this.#call();
    });
    this.#waiting = answer;
    this.#running = answer.catch(() => undefined);
    return answer;
  }
}
