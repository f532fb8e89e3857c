import type { FanoutItem } from './item.ts';

/**
 * A topic's state: the latest item per key (of the whole topic where it is not keyed: its items share the key null), in the order in which the
 * keys last changed. Bounded: past `keysMax` the key that has not changed for longest goes, and {@link completeFrom} says so.
 */
export class LatestByKey {
  readonly #keysMax: number;
  readonly #byKey = new Map<string | null, { item: FanoutItem; sequence: number }>();
  #completeFrom: number;

  /** @param completeFrom as far back as what it is filled with knows every change */
  constructor(keysMax: number, completeFrom: number) {
    this.#keysMax = keysMax;
    this.#completeFrom = completeFrom;
  }

  /** The latest item of every key that changed after this offset is here. */
  get completeFrom(): number {
    return this.#completeFrom;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** @param sequence the item's place in the ring; -1 for an item from before the ring */
  set(item: FanoutItem, sequence: number): void {
    this.#byKey.delete(item.key);
    this.#byKey.set(item.key, { item, sequence });
    if (this.#byKey.size <= this.#keysMax) return;
    const [oldest] = this.#byKey.values();
    if (oldest === undefined) return;
    this.#byKey.delete(oldest.item.key);
    this.#completeFrom = Math.max(this.#completeFrom, oldest.item.offset);
  }

  /** Latest items that were pushed in [from, to), oldest first. `from` -1 includes items from before the ring. */
  between(from: number, to: number): FanoutItem[] {
    const items: FanoutItem[] = [];
    for (const { item, sequence } of this.#byKey.values()) {
      if (sequence >= from && sequence < to) items.push(item);
    }
    return items;
  }

  /** The same from `from` on, but only as many as fit `bytesMax` (one at least), and the sequence after the last of them. */
  next(from: number, bytesMax: number): { items: FanoutItem[]; end: number } {
    const items: FanoutItem[] = [];
    let bytes = 0;
    let end = from;
    for (const { item, sequence } of this.#byKey.values()) {
      if (sequence < from) continue;
      bytes += item.bytes;
      if (items.length > 0 && bytes > bytesMax) break;
      items.push(item);
      end = sequence + 1;
    }
    return { items, end };
  }

  /** Latest items with offsets above `offset`, oldest first. */
  after(offset: number): FanoutItem[] {
    const items: FanoutItem[] = [];
    for (const { item } of this.#byKey.values()) if (item.offset > offset) items.push(item);
    return items;
  }
}
