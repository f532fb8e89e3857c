import type { LinkItem } from '../link/messages.ts';

export interface CacheBounds {
  readonly itemsMax: number;
  readonly bytesMax: number;
}

/** Objects around an item's bytes, about. */
const ITEM_OVERHEAD_BYTES = 150;

export function bytesOf({ data, key, user }: LinkItem): number {
  return data.length + (key?.length ?? 0) + (user?.length ?? 0) + ITEM_OVERHEAD_BYTES;
}

/**
 * A topic's recent items, without holes: everything after {@link base}. Grows at its end with what comes live, and at its beginning with what was
 * read; the oldest go when there are too many. Where it does not reach back far enough the log is read.
 */
export class TopicCache {
  readonly #bounds: CacheBounds;
  readonly #onBytes: (change: number) => void;
  #items: LinkItem[] = [];
  /** Places at the front of the list that have been given up, so that evicting is no copying. */
  #gone = 0;
  #bytes = 0;
  #base: number;

  /** @param onBytes told of every change of {@link bytes} */
  constructor(bounds: CacheBounds, base: number, onBytes: (change: number) => void = () => undefined) {
    this.#bounds = bounds;
    this.#base = base;
    this.#onBytes = onBytes;
  }

  /** Everything of the topic after this offset is here. */
  get base(): number {
    return this.#base;
  }

  get size(): number {
    return this.#items.length - this.#gone;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The topic's next publication. */
  push(item: LinkItem): void {
    this.#items.push(item);
    this.#count(bytesOf(item));
    while (this.size > this.#bounds.itemsMax || this.#bytes > this.#bounds.bytesMax) this.#evict();
    this.#compact();
  }

  /**
   * What was read of the time before. Ignored where a hole would be left, or nothing is gained; the oldest are left out where there is no room.
   * @param after nothing between this offset and the last of `items` is missing from them
   * @param upTo as far as the log was read
   */
  prepend(items: readonly LinkItem[], after: number, upTo: number): void {
    if (upTo < this.#base || after >= this.#base) return;
    const before = items.slice(0, indexAfter(items, 0, this.#base));
    let from = before.length;
    let bytes = this.#bytes;
    while (from > 0 && before.length - from + this.size < this.#bounds.itemsMax) {
      bytes += bytesOf(before[from - 1] as LinkItem);
      if (bytes > this.#bounds.bytesMax) break;
      from--;
    }
    const kept = before.slice(from);
    for (const item of kept) this.#count(bytesOf(item));
    this.#base = from > 0 ? (before[from - 1] as LinkItem).offset : after;
    this.#items = [...kept, ...this.#items.slice(this.#gone)];
    this.#gone = 0;
  }

  /** @returns everything after the offset, oldest first; undefined where it does not reach back so far */
  after(offset: number): LinkItem[] | undefined {
    return offset < this.#base ? undefined : this.#items.slice(indexAfter(this.#items, this.#gone, offset));
  }

  /** The last so many; fewer where it does not reach back so far. */
  last(count: number): LinkItem[] {
    return this.#items.slice(Math.max(this.#gone, this.#items.length - count));
  }

  /** Gives up the older half. */
  halve(): void {
    for (let left = Math.ceil(this.size / 2); left > 0; left--) this.#evict();
    this.#compact();
  }

  /** The history is void: everything begins anew after `base`. */
  clear(base: number): void {
    this.#items = [];
    this.#gone = 0;
    this.#count(-this.#bytes);
    this.#base = base;
  }

  #evict(): void {
    const oldest = this.#items[this.#gone++] as LinkItem;
    this.#base = oldest.offset;
    this.#count(-bytesOf(oldest));
  }

  #compact(): void {
    if (this.#gone < 64 || this.#gone * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#gone);
    this.#gone = 0;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#onBytes(bytes);
  }
}

/** Where the first item after `offset` stands. */
function indexAfter(items: readonly LinkItem[], from: number, offset: number): number {
  let low = from;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] as LinkItem).offset <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
