import type { RecentBudget } from './budget.ts';
import type { ItemForm, RecentItem } from './item-form.ts';
import type { Latest, NextOptions } from './latest.ts';
import type { Position } from './position.ts';

/** Extra entries in the list, besides those of the existing keys. */
const DEAD_MIN = 16;

/**
 * The state of a keyed topic: the latest item of every key, in the order in which the keys last changed. It is bounded: above `keysMax` the key with the oldest
 * change is dropped, and {@link completeFrom} says so. `form.slotOf` returns the key.
 *
 * The order is a list with binary search, so that a state can be read in parts: each part costs only its own items, however large the state is.
 */
export class LatestByKey<T extends RecentItem> implements Latest<T> {
  readonly #form: ItemForm<T>;
  readonly #keysMax: number;
  /** Index in the lists, by key. */
  readonly #places = new Map<string | null, number>();
  /**
   * In the order of arrival, which rises by sequence and by offset. A number is the offset of an item whose key has changed again or was removed: it stays for
   * a while, so that later entries keep their indexes.
   */
  #items: (T | number)[] = [];
  #sequences: number[] = [];
  /** No item lies before this index. */
  #first = 0;
  #completeFrom: number;
  /** The same as a place in the ring: after the last item that was forgotten. */
  #completeFromSequence = 0;
  readonly #budget: Pick<RecentBudget<T>, 'count'> | undefined;

  /**
   * @param completeFrom the initial items have every change after this offset
   * @param budget in which its items count until {@link clear}; absent: they count elsewhere
   */
  constructor(form: ItemForm<T>, keysMax: number, completeFrom: number, budget?: Pick<RecentBudget<T>, 'count'>) {
    this.#form = form;
    this.#keysMax = keysMax;
    this.#completeFrom = completeFrom;
    this.#budget = budget;
  }

  get completeFrom(): number {
    return this.#completeFrom;
  }

  get size(): number {
    return this.#places.size;
  }

  hasForgotten({ sequence, offset }: Position): boolean {
    return sequence < 0 ? offset < this.#completeFrom : sequence < this.#completeFromSequence;
  }

  set(item: T, sequence: number): T | undefined {
    const slot = this.#form.slotOf(item);
    const place = this.#places.get(slot);
    const before = place === undefined ? undefined : (this.#items[place] as T);
    if (place !== undefined) this.#items[place] = (before as T).offset;
    this.#places.set(slot, this.#items.length);
    this.#items.push(item);
    this.#sequences.push(sequence);
    this.#budget?.count(this.#form.bytesOf(item) - (before === undefined ? 0 : this.#form.bytesOf(before)));
    if (this.#places.size > this.#keysMax) this.#forgetOldest();
    if (this.#items.length > 2 * this.#places.size + DEAD_MIN) this.#compact();
    return before;
  }

  clear(): void {
    if (this.#budget !== undefined)
      for (const place of this.#places.values()) this.#budget.count(-this.#form.bytesOf(this.#items[place] as T));
    this.#places.clear();
    this.#items = [];
    this.#sequences = [];
    this.#first = 0;
  }

  between(from: number, to: number): T[] {
    const items: T[] = [];
    for (let at = this.#fromSequence(from); at < this.#items.length; at++) {
      if ((this.#sequences[at] as number) >= to) break;
      const item = this.#items[at] as T | number;
      if (typeof item !== 'number') items.push(item);
    }
    return items;
  }

  after(offset: number): T[] | undefined {
    if (offset < this.#completeFrom) return undefined;
    return this.#items.slice(this.#afterOffset(offset)).filter((item) => typeof item !== 'number');
  }

  next(from: Position, { bytesMax, until = Number.POSITIVE_INFINITY, withoutRemoved = false }: NextOptions) {
    const items: T[] = [];
    let bytes = 0;
    let position = from;
    for (let at = from.sequence < 0 ? this.#afterOffset(from.offset) : this.#fromSequence(from.sequence); at < this.#items.length; at++) {
      const sequence = this.#sequences[at] as number;
      if (sequence >= until) break;
      const item = this.#items[at] as T | number;
      if (typeof item === 'number' || (withoutRemoved && item.removed)) continue;
      bytes += this.#form.wireBytesOf(item);
      if (items.length > 0 && bytes > bytesMax) break;
      items.push(item);
      position = { sequence: sequence < 0 ? -1 : sequence + 1, offset: item.offset };
    }
    return { items, position };
  }

  #forgetOldest(): void {
    let oldest = this.#items[this.#first] as T | number;
    while (typeof oldest === 'number') oldest = this.#items[++this.#first] as T | number;
    this.#places.delete(this.#form.slotOf(oldest));
    this.#budget?.count(-this.#form.bytesOf(oldest));
    this.#completeFrom = Math.max(this.#completeFrom, oldest.offset);
    this.#completeFromSequence = (this.#sequences[this.#first] as number) + 1;
    this.#items[this.#first] = oldest.offset;
  }

  #compact(): void {
    let kept = 0;
    for (let at = this.#first; at < this.#items.length; at++) {
      const item = this.#items[at] as T | number;
      if (typeof item === 'number') continue;
      this.#items[kept] = item;
      this.#sequences[kept] = this.#sequences[at] as number;
      this.#places.set(this.#form.slotOf(item), kept++);
    }
    this.#items.length = kept;
    this.#sequences.length = kept;
    this.#first = 0;
  }

  /** Index of the first entry at this sequence or later. */
  #fromSequence(sequence: number): number {
    let low = 0;
    let high = this.#sequences.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sequences[middle] as number) >= sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Index of the first entry after this offset. */
  #afterOffset(offset: number): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle] as T | number;
      if ((typeof item === 'number' ? item : item.offset) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
