import type { FanoutItem } from './item.ts';
import type { Position } from './shard.ts';

interface Entry {
  readonly sequence: number;
  readonly offset: number;
  /** Undefined: the key has changed again, or is gone. The entry stays a while, so that those behind it keep their order. */
  item: FanoutItem | undefined;
}

export interface NextOptions {
  /** Bytes of the items in MessagePack, at most; one item goes in any case. */
  readonly bytesMax: number;
  /** Only what changed before this ring sequence. */
  readonly until?: number;
  /** For whoever starts from nothing: it has none of the keys that are gone. */
  readonly withoutRemoved?: boolean;
}

/** A topic's state. */
export interface Latest {
  /** The latest item of every key that changed after this offset is here. */
  readonly completeFrom: number;
  /** @param sequence the item's place in the ring; -1 for an item from before the ring */
  set(item: FanoutItem, sequence: number): void;
  /** Latest items that were pushed in [from, to), oldest first. `from` -1 includes items from before the ring. */
  between(from: number, to: number): FanoutItem[];
  /**
   * The latest items of keys that changed after a position, oldest first, as many as fit. Where the position's sequence is -1 its offset counts alone.
   * @returns them, and the position of whoever has them
   */
  next(from: Position, options: NextOptions): { items: FanoutItem[]; position: Position };
}

/** Entries that may lie in the list beside those of the keys that there are. */
const DEAD_MIN = 32;

/**
 * The state of a keyed topic: the latest item per key, in the order in which the keys last changed. Bounded: past `keysMax` the key that has not changed
 * for longest goes, and {@link completeFrom} says so.
 *
 * The order is a list in which a place is found by binary search, so that a state can be handed out in parts: each part costs what is in it, however
 * large the state is.
 */
export class LatestByKey implements Latest {
  readonly #keysMax: number;
  readonly #byKey = new Map<string | null, Entry>();
  /** Rises by sequence and by offset. */
  #entries: Entry[] = [];
  /** No living entry lies before. */
  #first = 0;
  #completeFrom: number;

  /** @param completeFrom as far back as what it is filled with knows every change */
  constructor(keysMax: number, completeFrom: number) {
    this.#keysMax = keysMax;
    this.#completeFrom = completeFrom;
  }

  get completeFrom(): number {
    return this.#completeFrom;
  }

  get size(): number {
    return this.#byKey.size;
  }

  set(item: FanoutItem, sequence: number): void {
    const before = this.#byKey.get(item.key);
    if (before !== undefined) before.item = undefined;
    const entry = { sequence, offset: item.offset, item };
    this.#entries.push(entry);
    this.#byKey.set(item.key, entry);
    if (this.#byKey.size > this.#keysMax) this.#forgetOldest();
    if (this.#entries.length > 2 * this.#byKey.size + DEAD_MIN) this.#compact();
  }

  between(from: number, to: number): FanoutItem[] {
    const items: FanoutItem[] = [];
    for (let at = this.#indexOf((entry) => entry.sequence >= from); at < this.#entries.length; at++) {
      const { item, sequence } = this.#entries[at] as Entry;
      if (sequence >= to) break;
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  next(from: Position, { bytesMax, until = Number.POSITIVE_INFINITY, withoutRemoved = false }: NextOptions) {
    const items: FanoutItem[] = [];
    let bytes = 0;
    let position = from;
    const isAfter = from.sequence < 0 ? (entry: Entry) => entry.offset > from.offset : (entry: Entry) => entry.sequence >= from.sequence;
    for (let at = this.#indexOf(isAfter); at < this.#entries.length; at++) {
      const { item, sequence, offset } = this.#entries[at] as Entry;
      if (sequence >= until) break;
      if (item === undefined || (withoutRemoved && item.removed)) continue;
      bytes += item.wireBytes;
      if (items.length > 0 && bytes > bytesMax) break;
      items.push(item);
      position = { sequence: sequence < 0 ? -1 : sequence + 1, offset };
    }
    return { items, position };
  }

  #forgetOldest(): void {
    let oldest = this.#entries[this.#first] as Entry;
    while (oldest.item === undefined) oldest = this.#entries[++this.#first] as Entry;
    this.#byKey.delete(oldest.item.key);
    this.#completeFrom = Math.max(this.#completeFrom, oldest.offset);
    oldest.item = undefined;
  }

  #compact(): void {
    this.#entries = this.#entries.filter(({ item }) => item !== undefined);
    this.#first = 0;
  }

  /** The first entry that is so, where all behind it are too. */
  #indexOf(isSo: (entry: Entry) => boolean): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isSo(this.#entries[middle] as Entry)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
