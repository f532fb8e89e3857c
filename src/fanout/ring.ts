import type { FanoutItem } from './item.ts';
import type { BudgetedRing, RingBudget } from './ring-budget.ts';

export interface RingBounds {
  readonly itemsMax: number;
  readonly bytesMax: number;
}

/**
 * A topic's recent items, oldest evicted first. An item's place is its sequence number, which counts items of this ring from 0 and, unlike an
 * offset, has no holes; so a shard's cursor is one number. Invariant: at least the newest item is kept, whatever its size.
 */
export class Ring implements BudgetedRing {
  readonly #bounds: RingBounds;
  readonly #budget: RingBudget;
  /** As many as are needed, to the next power of two: of very many topics each may have one item, or none. */
  #slots: (FanoutItem | undefined)[] = [];
  #first = 0;
  #next = 0;
  #bytes = 0;
  /** Offset that came before the oldest item still here: the position from which the ring can serve everything. */
  #baseOffset: number;

  /** @param budget what it shares with the worker's other rings */
  constructor(bounds: RingBounds, baseOffset: number, budget: RingBudget) {
    this.#bounds = bounds;
    this.#budget = budget;
    this.#baseOffset = baseOffset;
  }

  /** Sequence of the oldest item. */
  get first(): number {
    return this.#first;
  }

  /** Sequence that the next item will get. */
  get next(): number {
    return this.#next;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Items that it holds at most, if they are as large as those that it holds now. */
  get capacity(): number {
    const { itemsMax, bytesMax } = this.#bounds;
    const count = this.#next - this.#first;
    return this.#bytes === 0 ? itemsMax : Math.min(itemsMax, (bytesMax / this.#bytes) * count);
  }

  get baseOffset(): number {
    return this.#baseOffset;
  }

  /** Offset of the newest item, or the base when there is none. */
  get headOffset(): number {
    return this.#next === this.#first ? this.#baseOffset : this.at(this.#next - 1).offset;
  }

  push(item: FanoutItem): void {
    if (this.#next - this.#first === this.#slots.length) this.#resize(Math.max(1, this.#slots.length * 2));
    this.#slots[this.#next % this.#slots.length] = item;
    this.#next++;
    this.#bytes += item.bytes;
    while (this.#next - this.#first > 1 && (this.#next - this.#first > this.#bounds.itemsMax || this.#bytes > this.#bounds.bytesMax)) {
      this.#evict();
    }
    this.#budget.added(this, item, this.#next - this.#first === 2 ? this.at(this.#first) : undefined);
  }

  /** @returns bytes freed; 0 when only the newest item is left */
  evictOldest(): number {
    return this.#next - this.#first <= 1 ? 0 : this.#evict();
  }

  /** Lets all items go: for a ring that is not used any more. */
  clear(): void {
    while (this.#next > this.#first) this.#evict();
  }

  /** The item of a sequence in [first, next). */
  at(sequence: number): FanoutItem {
    return this.#slots[sequence % this.#slots.length] as FanoutItem;
  }

  /** Items of [from, to), clipped to what is still here. */
  slice(from: number, to: number): FanoutItem[] {
    const items: FanoutItem[] = [];
    for (let sequence = Math.max(from, this.#first); sequence < to; sequence++) items.push(this.at(sequence));
    return items;
  }

  /**
   * Where does the first item after `offset` stand? `undefined` when something after it has been evicted, or when `offset` lies ahead of the ring.
   */
  sequenceAfter(offset: number): number | undefined {
    if (offset < this.#baseOffset || offset > this.headOffset) return undefined;
    let low = this.#first;
    let high = this.#next;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.at(middle).offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #evict(): number {
    const item = this.at(this.#first);
    this.#slots[this.#first % this.#slots.length] = undefined;
    this.#first++;
    // What a burst needed is not kept for it.
    const { length } = this.#slots;
    if (length > 1 && (this.#next - this.#first) * 4 < length) this.#resize(length / 2);
    this.#baseOffset = item.offset;
    this.#bytes -= item.bytes;
    this.#budget.removed(item);
    return item.bytes;
  }

  #resize(length: number): void {
    const slots = new Array<FanoutItem | undefined>(length);
    for (let sequence = this.#first; sequence < this.#next; sequence++) slots[sequence % slots.length] = this.at(sequence);
    this.#slots = slots;
  }
}
