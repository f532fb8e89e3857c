/** What waits for a turn. */
export interface TurnWork {
  readonly isWaiting: () => boolean;
  /** Does the next of what waits. */
  readonly next: () => void;
}

export interface TurnTimeOptions extends TurnWork {
  /** After this time, nothing further is begun in a loop turn. */
  readonly turnMs: number;
  readonly nowMs?: (() => number) | undefined;
}

/** The time of a loop turn for one kind of work. What waits when it is used up is done in later turns. */
export class TurnTime {
  readonly #turnMs: number;
  readonly #nowMs: () => number;
  readonly #work: TurnWork;
  #spentMs = 0;
  #armed: NodeJS.Immediate | undefined;

  constructor({ turnMs, nowMs = () => performance.now(), ...work }: TurnTimeOptions) {
    this.#turnMs = turnMs;
    this.#nowMs = nowMs;
    this.#work = work;
  }

  get isLeft(): boolean {
    return this.#spentMs < this.#turnMs;
  }

  /** Work is about to be done, or to wait. A new turn begins with the next `setImmediate`, after everything that the sockets have received. */
  arm(): void {
    this.#armed ??= setImmediate(() => {
      this.#armed = undefined;
      this.#spentMs = 0;
      while (this.#work.isWaiting() && this.isLeft) this.#work.next();
      if (this.#work.isWaiting()) this.arm();
    });
  }

  /** Works step by step while there is time: one step at least. @param step returns false when it was the last one; must not throw */
  spend(step: () => boolean): void {
    const startMs = this.#nowMs();
    const leftMs = this.#turnMs - this.#spentMs;
    let isMore: boolean;
    let spentMs: number;
    do {
      isMore = step();
      spentMs = this.#nowMs() - startMs;
    } while (isMore && spentMs < leftMs);
    this.#spentMs += spentMs;
  }

  stop(): void {
    clearImmediate(this.#armed);
  }
}
