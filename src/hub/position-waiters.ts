const POLL_MS = 10;

interface Waiter {
  readonly offset: number;
  readonly deadlineMs: number;
  resolve(reached: boolean): void;
}

/**
 * Requests that wait until a follower has reached an offset. One timer serves all, and there is none while nothing waits. There are at most as many as workers
 * have requests.
 */
export class PositionWaiters {
  readonly #position: () => number;
  readonly #waiters = new Set<Waiter>();
  #timer: NodeJS.Timeout | undefined;

  constructor(position: () => number) {
    this.#position = position;
  }

  /** @returns false if it has not reached the offset in time */
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
