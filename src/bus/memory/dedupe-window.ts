/** Remembers the offsets of recent message ids, for `windowMs` and at most `idsMax` ids. Above that the oldest are forgotten. */
export class DedupeWindow {
  readonly #windowMs: number;
  readonly #idsMax: number;
  readonly #offsets = new Map<string, number>();
  // Ids by age, in addition to the map: finding a Map's first key walks over the deleted ones before it.
  #order: { readonly id: string; readonly atMs: number }[] = [];
  #head = 0;

  constructor(windowMs: number, idsMax: number) {
    this.#windowMs = windowMs;
    this.#idsMax = idsMax;
  }

  get size(): number {
    return this.#offsets.size;
  }

  /** The offset of the first publication with this id, if it is in the window. */
  find(id: string, nowMs: number): number | undefined {
    this.#forgetBefore(nowMs - this.#windowMs);
    return this.#offsets.get(id);
  }

  /** `id` must not be in the window. */
  add(id: string, offset: number, nowMs: number): void {
    this.#offsets.set(id, offset);
    this.#order.push({ id, atMs: nowMs });
    while (this.#offsets.size > this.#idsMax) this.#forgetOldest();
  }

  #forgetBefore(limitMs: number): void {
    for (let oldest = this.#order[this.#head]; oldest !== undefined && oldest.atMs < limitMs; oldest = this.#order[this.#head]) {
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const oldest = this.#order[this.#head++];
    if (oldest !== undefined) this.#offsets.delete(oldest.id);
    if (this.#head > 64 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head);
      this.#head = 0;
    }
  }
}
