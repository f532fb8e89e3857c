/** Remembers the offsets of recent message ids, for `windowMs` and `idsMax` ids at most; past it the oldest are forgotten. */
export class DedupeWindow {
  readonly #windowMs: number;
  readonly #idsMax: number;
  readonly #offsets = new Map<string, number>();
  // In order of age beside the map: a Map's own first key costs a walk over the deleted ones before it.
  #order: { readonly id: string; readonly atMs: number }[] = [];
  #head = 0;

  constructor(windowMs: number, idsMax: number) {
    this.#windowMs = windowMs;
    this.#idsMax = idsMax;
  }

  get size(): number {
    return this.#offsets.size;
  }

  /** Where the first publication with this id is, if that was inside the window. */
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
