import type { ItemForm, RecentItem } from './item-form.ts';

/** How much of the recent past a process keeps. The same settings apply to the hub and to each worker. */
export interface RecentBounds {
  readonly itemsPerTopicMax: number;
  readonly bytesPerTopicMax: number;
  /** Of all topics together. */
  readonly bytesMax: number;
  /** Keys whose latest item is kept. */
  readonly keysPerTopicMax: number;
}

/** A ring, as the budget sees it. */
export interface BudgetedRing {
  readonly size: number;
  /** Number of entries in the budget's queue for this ring. Maintained by the budget. */
  queued: number;
  evictOldest(): void;
}

/** With fewer entries the queue is not compacted. */
const TIDY_MIN = 64;

/**
 * The one policy for memory of the recent past. A topic keeps so many items and bytes; a process keeps so many bytes. Above that its oldest item is evicted
 * first, of whichever topic, so that all topics can be recovered over about the same time. Only the newest item of each ring always stays.
 *
 * The queue has an entry for each item, in the order of arrival, which names only its ring, so items need not be touched. The first entry of a ring stands for
 * its oldest item. When a ring evicts by its own limits, it leaves an extra entry, which is skipped later. Every step is O(1), amortized.
 */
export class RecentBudget<T extends RecentItem> {
  readonly form: ItemForm<T>;
  readonly bounds: RecentBounds;
  #bytes = 0;
  /** Circular; its length is a power of two. */
  #queue: (BudgetedRing | undefined)[] = new Array(TIDY_MIN);
  #head = 0;
  #entries = 0;
  /** Items in all rings. */
  #items = 0;

  constructor(form: ItemForm<T>, bounds: RecentBounds) {
    this.form = form;
    this.bounds = bounds;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Call when the ring has got so many more items, at either end. May evict from any ring. */
  added(ring: BudgetedRing, bytes: number, count = 1): void {
    // Its only item lost its entry earlier, because the newest stays. Now it may be evicted.
    if (ring.queued < ring.size - count) this.#enqueueFirst(ring);
    for (let left = count; left > 0; left--) this.#enqueue(ring);
    this.#items += count;
    this.count(bytes);
  }

  /** Call when a ring has one item less, the oldest. */
  removed(bytes: number): void {
    this.#items--;
    this.#bytes -= bytes;
    if (this.#entries > 2 * this.#items + TIDY_MIN) this.#tidy();
  }

  /** Counts bytes that are kept outside of rings. May evict. */
  count(bytes: number): void {
    this.#bytes += bytes;
    while (this.#bytes > this.bounds.bytesMax && this.#entries > 0) {
      const ring = this.#dequeue();
      // Otherwise the entry was of an item that is already gone.
      if (ring.queued < ring.size) ring.evictOldest();
    }
  }

  #enqueue(ring: BudgetedRing): void {
    this.#makeRoom();
    this.#queue[(this.#head + this.#entries) & (this.#queue.length - 1)] = ring;
    this.#entries++;
    ring.queued++;
  }

  #enqueueFirst(ring: BudgetedRing): void {
    this.#makeRoom();
    this.#head = (this.#head - 1) & (this.#queue.length - 1);
    this.#queue[this.#head] = ring;
    this.#entries++;
    ring.queued++;
  }

  #dequeue(): BudgetedRing {
    const ring = this.#queue[this.#head] as BudgetedRing;
    this.#queue[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#queue.length - 1);
    this.#entries--;
    ring.queued--;
    return ring;
  }

  #makeRoom(): void {
    if (this.#entries === this.#queue.length) this.#rebuild(2 * this.#queue.length);
  }

  /** Removes the entries of items that are gone. */
  #tidy(): void {
    let length = TIDY_MIN;
    while (length < this.#items + TIDY_MIN) length *= 2;
    this.#rebuild(length);
  }

  #rebuild(length: number): void {
    const queue = new Array<BudgetedRing | undefined>(length);
    let entries = 0;
    for (let at = 0; at < this.#entries; at++) {
      const ring = this.#queue[(this.#head + at) & (this.#queue.length - 1)] as BudgetedRing;
      if (ring.queued > ring.size) ring.queued--;
      else queue[entries++] = ring;
    }
    this.#queue = queue;
    this.#head = 0;
    this.#entries = entries;
  }
}
