import type { BudgetedRing, RecentBudget } from './budget.ts';
import type { RecentItem } from './item-form.ts';
import { indexAfter } from './missed.ts';

/**
 * A topic's recent items without a gap: everything after {@link baseOffset}. The oldest are evicted first, by the limits of the {@link RecentBudget}.
 *
 * An item's place is its sequence number, which counts items of this ring from 0 and, unlike an offset, is contiguous. So a shard's cursor is one number.
 * Invariant: at least the newest item is kept, even if it exceeds the byte limit.
 */
export class Ring<T extends RecentItem> implements BudgetedRing {
  readonly #budget: RecentBudget<T>;
  /** As many as needed, rounded up to a power of two: very many topics may have one item or none. */
  #slots: (T | undefined)[] = [];
  #first = 0;
  #next = 0;
  #bytes = 0;
  /** Offset before the oldest item that is still here: the position from which the ring can serve everything. */
  #baseOffset: number;
  /** Number of entries in the budget's queue for this ring. Maintained by the budget. */
  queued = 0;

  /** @param budget shared with the other rings of the process */
  constructor(budget: RecentBudget<T>, baseOffset: number) {
    this.#budget = budget;
    this.#baseOffset = baseOffset;
  }

  /** Sequence of the oldest item. Negative after {@link prepend}. */
  get first(): number {
    return this.#first;
  }

  /** Sequence of the next item. */
  get next(): number {
    return this.#next;
  }

  get size(): number {
    return this.#next - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Maximum number of items, if they are as large as the present ones. */
  get capacity(): number {
    const { itemsPerTopicMax, bytesPerTopicMax } = this.#budget.bounds;
    return this.#bytes === 0 ? itemsPerTopicMax : Math.min(itemsPerTopicMax, (bytesPerTopicMax / this.#bytes) * this.size);
  }

  get baseOffset(): number {
    return this.#baseOffset;
  }

  /** Offset of the newest item, or the base if there is none. */
  get headOffset(): number {
    return this.#next === this.#first ? this.#baseOffset : this.at(this.#next - 1).offset;
  }

  push(item: T): void {
    if (this.size === this.#slots.length) this.#resize(Math.max(1, this.#slots.length * 2));
    this.#slots[this.#next & (this.#slots.length - 1)] = item;
    this.#next++;
    const bytes = this.#budget.form.bytesOf(item);
    this.#bytes += bytes;
    const { itemsPerTopicMax, bytesPerTopicMax } = this.#budget.bounds;
    while (this.size > 1 && (this.size > itemsPerTopicMax || this.#bytes > bytesPerTopicMax)) this.#evict();
    this.#budget.added(this, bytes);
  }

  /**
   * Adds items that were read from before the ring. Ignored if a gap would remain, or nothing is gained. The oldest are left out if there is no room.
   * @param after nothing between this offset and the last of `items` is missing from them
   * @param upTo the end of the read of the log
   */
  prepend(items: readonly T[], after: number, upTo: number): void {
    if (upTo < this.#baseOffset || after >= this.#baseOffset) return;
    const { bounds, form } = this.#budget;
    const end = indexAfter(items, this.#baseOffset);
    let from = end;
    let bytes = this.#bytes;
    while (from > 0 && end - from + this.size < bounds.itemsPerTopicMax) {
      bytes += form.bytesOf(items[from - 1] as T);
      if (bytes > bounds.bytesPerTopicMax) break;
      from--;
    }
    const count = end - from;
    this.#resize(powerOfTwo(this.size + count));
    this.#baseOffset = from > 0 ? (items[from - 1] as T).offset : after;
    let added = 0;
    for (let index = end - 1; index >= from; index--) {
      const item = items[index] as T;
      this.#first--;
      this.#slots[this.#first & (this.#slots.length - 1)] = item;
      added += form.bytesOf(item);
    }
    this.#bytes += added;
    if (count > 0) this.#budget.added(this, added, count);
  }

  /** @returns bytes freed; 0 if only the newest item is left */
  evictOldest(): number {
    return this.size <= 1 ? 0 : this.#evict();
  }

  /** Drops all items, for a ring that is not used any more. */
  clear(): void {
    while (this.#next > this.#first) this.#evict();
  }

  /** The item of a sequence in [first, next). */
  at(sequence: number): T {
    return this.#slots[sequence & (this.#slots.length - 1)] as T;
  }

  /** Items of [from, to), limited to what is still here. */
  slice(from: number, to: number): T[] {
    const items: T[] = [];
    for (let sequence = Math.max(from, this.#first); sequence < to; sequence++) items.push(this.at(sequence));
    return items;
  }

  /** Everything after the offset, oldest first; undefined: some of it has been evicted. */
  after(offset: number): T[] | undefined {
    return offset < this.#baseOffset ? undefined : this.slice(this.#indexAfter(offset), this.#next);
  }

  /** The last items; fewer if it does not reach back so far. */
  last(count: number): T[] {
    return this.slice(this.#next - count, this.#next);
  }

  /** Sequence of the first item after `offset`; undefined: something after it has been evicted, or `offset` is ahead of the ring. */
  sequenceAfter(offset: number): number | undefined {
    return offset < this.#baseOffset || offset > this.headOffset ? undefined : this.#indexAfter(offset);
  }

  #indexAfter(offset: number): number {
    let low = this.#first;
    let high = this.#next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.at(middle).offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #evict(): number {
    const item = this.at(this.#first);
    this.#slots[this.#first & (this.#slots.length - 1)] = undefined;
    this.#first++;
    // Releases slots that only a burst needed.
    const { length } = this.#slots;
    if (length > 1 && this.size * 4 < length) this.#resize(length / 2);
    this.#baseOffset = item.offset;
    const bytes = this.#budget.form.bytesOf(item);
    this.#bytes -= bytes;
    this.#budget.removed(bytes);
    return bytes;
  }

  /** @param length a power of two, so that a sequence's slot is found with a mask */
  #resize(length: number): void {
    if (length === this.#slots.length) return;
    const slots = new Array<T | undefined>(length);
    for (let sequence = this.#first; sequence < this.#next; sequence++) slots[sequence & (length - 1)] = this.at(sequence);
    this.#slots = slots;
  }
}

function powerOfTwo(count: number): number {
  let power = 1;
  while (power < count) power *= 2;
  return power;
}
