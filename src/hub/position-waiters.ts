const POLL_MS = 10;

interface Waiter {
  readonly offset: number;
  readonly deadlineMs: number;
  resolve(reached: boolean): void;
}

/** Those who wait for a follower to have come so far: one timer for all, and none while nobody waits. As many as workers have questions. */
export class PositionWaiters {
  readonly #position: () => number;
  readonly #waiters = new Set<Waiter>();
  #timer: NodeJS.Timeout | undefined;

  constructor(position: () => number) {
    this.#position = position;
  }

  /** @returns false when it has not come so far within the time */
  wait(offset: number, timeoutMs: number): Promise<boolean> {
    if (this.#position() >= offset) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#waiters.add({ offset, deadlineMs: performance.now() + timeoutMs, resolve });
      this.#timer ??= setInterval(() => this.#check(performance.now()), POLL_MS);
    });
  }

  stop(): void {
    this.#check(Number.POSITIVE_INFINITY);
  }

  #check(nowMs: number): void {
    const position = this.#position();
    for (const waiter of this.#waiters) {
      if (position < waiter.offset && nowMs < waiter.deadlineMs) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(position >= waiter.offset);
    }
    if (this.#waiters.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
