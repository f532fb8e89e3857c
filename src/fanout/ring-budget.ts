/** A ring, as the budget sees it. */
export interface BudgetedRing {
  /** @returns bytes freed; 0 when only the newest item is left, which stays whatever the bounds */
  evictOldest(): number;
}

/** An item, as the budget sees it. The budget keeps all but `bytes`: a place in its order costs no object. */
export interface BudgetedItem {
  readonly bytes: number;
  /** The ring that it is in; undefined: it is not in the budget's order. */
  ring: BudgetedRing | undefined;
  /** Its place in the order of arrival over all rings. */
  arrival: number;
  /** Its neighbours in that order. */
  older: BudgetedItem | undefined;
  newer: BudgetedItem | undefined;
}

/**
 * The bytes that all rings of a worker may hold together. Past them the worker's oldest item goes first, whichever topic it is of; only the last item of
 * each ring stays, since a topic's state is kept anyway. Every step is O(1): items are linked in the order in which they came, so one that its own ring
 * has evicted leaves no trace.
 */
export class RingBudget {
  readonly #bytesMax: number;
  #bytes = 0;
  #oldest: BudgetedItem | undefined;
  #newest: BudgetedItem | undefined;
  #arrivals = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param before the item that the ring had as its only one, which may stay no longer */
  added(ring: BudgetedRing, item: BudgetedItem, before: BudgetedItem | undefined): void {
    if (before !== undefined && before.ring === undefined) this.#linkOldest(before, ring);
    this.#linkNewest(item, ring);
    this.#bytes += item.bytes;
    while (this.#bytes > this.#bytesMax && this.#oldest !== undefined) {
      const oldest = this.#oldest;
      // The only one of its ring: it is not asked again before its ring has another.
      if (oldest.ring?.evictOldest() === 0) this.#unlink(oldest);
    }
  }

  removed(item: BudgetedItem): void {
    this.#bytes -= item.bytes;
    if (item.ring !== undefined) this.#unlink(item);
  }

  #linkNewest(item: BudgetedItem, ring: BudgetedRing): void {
    item.ring = ring;
    item.arrival = ++this.#arrivals;
    item.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
  }

  /** Back to its place among the oldest. It was the oldest when it was taken out, so only others that came back may stand before it. */
  #linkOldest(item: BudgetedItem, ring: BudgetedRing): void {
    let newer = this.#oldest;
    while (newer !== undefined && newer.arrival < item.arrival) newer = newer.newer;
    const older = newer === undefined ? this.#newest : newer.older;
    item.ring = ring;
    item.older = older;
    item.newer = newer;
    if (older === undefined) this.#oldest = item;
    else older.newer = item;
    if (newer === undefined) this.#newest = item;
    else newer.older = item;
  }

  #unlink(item: BudgetedItem): void {
    const { older, newer } = item;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    item.ring = item.older = item.newer = undefined;
  }
}
