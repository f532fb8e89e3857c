/** Decreases within one step are merged into one, with the greatest value and the end of the step. So a topic that empties keeps some dozens, not thousands. */
const STEP_MS = 50;

interface Fall {
  readonly value: number;
  readonly untilMs: number;
}

/**
 * The maximum of a number over a time window. A count shown this way does not change when a client leaves and comes back, on any node. It decreases only if
 * the client has not come back in time.
 */
export class Peak {
  /** Descending values, ascending times. */
  #falls: Fall[] = [];

  /** The number was `value` until now, and is lower from now on. */
  fell(value: number, nowMs: number): void {
    const untilMs = Math.ceil(nowMs / STEP_MS) * STEP_MS;
    while (this.#falls.length > 0 && (this.#falls.at(-1) as Fall).value <= value) this.#falls.pop();
    // A greater value with the same end time covers this one.
    if (this.#falls.at(-1)?.untilMs !== untilMs) this.#falls.push({ value, untilMs });
  }

  /** @param value the current number */
  over(windowMs: number, value: number, nowMs: number): number {
    while (this.#falls.length > 0 && (this.#falls[0] as Fall).untilMs <= nowMs - windowMs) this.#falls.shift();
    return Math.max(value, this.#falls[0]?.value ?? 0);
  }

  /** No decrease is in the window: the peak is the current value. */
  get isOver(): boolean {
    return this.#falls.length === 0;
  }
}
