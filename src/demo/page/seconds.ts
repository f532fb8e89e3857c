export interface Second {
  live: number;
  recovered: number;
}

/** How many came of what was published in each of the last seconds, by how it came. */
export class Seconds {
  readonly #count: number;
  readonly #bySecond = new Map<number, Second>();

  /** @param count of seconds kept */
  constructor(count: number) {
    this.#count = count;
  }

  add(publishedAtMs: number, how: keyof Second): void {
    const second = Math.floor(publishedAtMs / 1000);
    let counts = this.#bySecond.get(second);
    if (counts === undefined) {
      counts = { live: 0, recovered: 0 };
      this.#bySecond.set(second, counts);
      if (this.#bySecond.size > 2 * this.#count) this.#forgetBefore(second - this.#count);
    }
    counts[how]++;
  }

  /** Oldest first; the last one is that of `nowMs`. */
  until(nowMs: number): Second[] {
    const last = Math.floor(nowMs / 1000);
    return Array.from({ length: this.#count }, (_, at) => this.#bySecond.get(last - this.#count + 1 + at) ?? { live: 0, recovered: 0 });
  }

  #forgetBefore(oldest: number): void {
    for (const second of this.#bySecond.keys()) if (second < oldest) this.#bySecond.delete(second);
  }
}
