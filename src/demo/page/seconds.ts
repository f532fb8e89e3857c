export interface Second {
  live: number;
  recovered: number;
}

/** Counts what was received of each of the last seconds' publications, live and recovered. */
export class Seconds {
  readonly #count: number;
  readonly #bySecond = new Map<number, Second>();

  /** @param count number of seconds to keep */
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

  /** Oldest first. The last one is the second of `nowMs`. */
  until(nowMs: number): Second[] {
    const last = Math.floor(nowMs / 1000);
    return Array.from({ length: this.#count }, (_, at) => this.#bySecond.get(last - this.#count + 1 + at) ?? { live: 0, recovered: 0 });
  }

  #forgetBefore(oldest: number): void {
    for (const second of this.#bySecond.keys()) if (second < oldest) this.#bySecond.delete(second);
  }
}
