/** Finds what has expired, to the second, without a timer per connection. */
export class ExpiryIndex<T> {
  readonly #bySecond = new Map<number, Set<T>>();
  readonly #secondOf = new Map<T, number>();
  #doneSecond: number;

  constructor(nowMs: number) {
    this.#doneSecond = Math.floor(nowMs / 1000);
  }

  get size(): number {
    return this.#secondOf.size;
  }

  /** Replaces what was set before. */
  set(value: T, expiresAtMs: number): void {
    this.remove(value);
    const second = Math.max(Math.ceil(expiresAtMs / 1000), this.#doneSecond + 1);
    const values = this.#bySecond.get(second) ?? new Set();
    values.add(value);
    this.#bySecond.set(second, values);
    this.#secondOf.set(value, second);
  }

  remove(value: T): void {
    const second = this.#secondOf.get(value);
    if (second === undefined) return;
    this.#secondOf.delete(value);
    const values = this.#bySecond.get(second);
    values?.delete(value);
    if (values?.size === 0) this.#bySecond.delete(second);
  }

  takeExpired(nowMs: number): T[] {
    const expired: T[] = [];
    const now = Math.floor(nowMs / 1000);
    // A clock that jumped far ahead is walked by what is there, not second by second.
    const seconds =
      now - this.#doneSecond > this.#bySecond.size
        ? [...this.#bySecond.keys()].filter((second) => second <= now)
        : range(this.#doneSecond + 1, now);
    for (const second of seconds) {
      for (const value of this.#bySecond.get(second) ?? []) expired.push(value);
    }
    for (const value of expired) this.remove(value);
    // Also backwards: after a clock that was ahead for a while, what is set next must not wait for that time to come again.
    this.#doneSecond = now;
    return expired;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
