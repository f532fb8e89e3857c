/** What expires. It is in one index at most. */
export interface Expiring {
  /** The second since 1970 in which an index finds it; 0: it is in none. A field of it, because a map of them takes 50 B for each. */
  dueSecond: number;
}

/** Finds what has expired, with a resolution of a second, without a timer per connection. */
export class ExpiryIndex<T extends Expiring> {
  readonly #bySecond = new Map<number, Set<T>>();
  #size = 0;
  #doneSecond: number;

  constructor(nowMs: number) {
    this.#doneSecond = Math.floor(nowMs / 1000);
  }

  get size(): number {
    return this.#size;
  }

  /** Replaces an earlier time. */
  set(value: T, expiresAtMs: number): void {
    this.remove(value);
    const second = Math.max(Math.ceil(expiresAtMs / 1000), this.#doneSecond + 1);
    const values = this.#bySecond.get(second) ?? new Set();
    values.add(value);
    this.#bySecond.set(second, values);
    value.dueSecond = second;
    this.#size++;
  }

  remove(value: T): void {
    const second = value.dueSecond;
    if (second === 0) return;
    value.dueSecond = 0;
    this.#size--;
    const values = this.#bySecond.get(second);
    values?.delete(value);
    if (values?.size === 0) this.#bySecond.delete(second);
  }

  takeExpired(nowMs: number): T[] {
    const expired: T[] = [];
    const now = Math.floor(nowMs / 1000);
    // If the clock jumped far ahead, it visits existing entries instead of every second.
    const seconds =
      now - this.#doneSecond > this.#bySecond.size
        ? [...this.#bySecond.keys()].filter((second) => second <= now)
        : range(this.#doneSecond + 1, now);
    for (const second of seconds) {
      for (const value of this.#bySecond.get(second) ?? []) expired.push(value);
    }
    for (const value of expired) this.remove(value);
    // Also backwards: if the clock was ahead for a while, later entries must not wait until that time comes again.
    this.#doneSecond = now;
    return expired;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
