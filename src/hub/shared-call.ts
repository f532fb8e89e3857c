/**
 * Merges concurrent calls: each caller gets the result of a call that began after it asked, shared with all callers that asked before that call began. At most
 * one call runs and one waits.
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
