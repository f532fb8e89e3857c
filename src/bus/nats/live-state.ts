/** Whether a follower is live, and who waits for that. */
export class LiveState {
  readonly #waiters = new Set<(live: boolean) => void>();
  #live = false;
  #interruptions = 0;

  get live(): boolean {
    return this.#live;
  }

  /** How often it has ended. */
  get interruptions(): number {
    return this.#interruptions;
  }

  set(live: boolean): void {
    if (this.#live && !live) this.#interruptions++;
    this.#live = live;
    if (live) for (const done of [...this.#waiters]) done(true);
  }

  /** It will not be live any more. */
  end(): void {
    this.set(false);
    for (const done of [...this.#waiters]) done(false);
  }

  /** Resolves as soon as it is true, with false after the timeout or at the end. */
  when(timeoutMs: number): Promise<boolean> {
    if (this.#live) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (live: boolean) => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve(live);
      };
      const timer = setTimeout(() => done(false), timeoutMs);
      this.#waiters.add(done);
    });
  }
}
