/** Falls within one step are one, of the greatest value, and held to its end: a topic that empties keeps a dozen of them and not thousands. */
const STEP_MS = 250;

interface Fall {
  readonly value: number;
  readonly untilMs: number;
}

/**
 * The greatest value that a number has had in the last while. A count shown this way does not move when a client goes and comes back, on whichever node: it
 * falls when nobody has come back in time.
 */
export class Peak {
  /** Values fall from the first to the last, times rise. */
  #falls: Fall[] = [];

  /** The number was `value` up to now, and is less from now on. */
  fell(value: number, nowMs: number): void {
    const untilMs = Math.ceil(nowMs / STEP_MS) * STEP_MS;
    while (this.#falls.length > 0 && (this.#falls.at(-1) as Fall).value <= value) this.#falls.pop();
    // A greater value that is held as long covers this one.
    if (this.#falls.at(-1)?.untilMs !== untilMs) this.#falls.push({ value, untilMs });
  }

  /** @param value that the number has now */
  over(windowMs: number, value: number, nowMs: number): number {
    while (this.#falls.length > 0 && (this.#falls[0] as Fall).untilMs <= nowMs - windowMs) this.#falls.shift();
    return Math.max(value, this.#falls[0]?.value ?? 0);
  }

  /** Nothing is remembered: the peak is the value. */
  get isOver(): boolean {
    return this.#falls.length === 0;
  }
}
