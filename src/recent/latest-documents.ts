import { DocumentWindow } from './document-window.ts';
import type { ItemForm, RecentItem } from './item-form.ts';
import type { Latest, NextOptions } from './latest.ts';
import type { Position } from './position.ts';
import type { Ring } from './ring.ts';

/** Extra entries in the list, besides those of the existing keys. */
const DEAD_MIN = 16;
/** Items of the initial state have sequences from here on, below those of any ring and below -1. */
const INITIAL_SEQUENCE = -(2 ** 40);

interface Entry<T extends RecentItem> {
  readonly slot: string | null;
  readonly window: DocumentWindow<T>;
  /** Index in the list. */
  place: number;
}

/**
 * The state of a keyed topic with documents: the document of every key, in the order in which the keys last changed. How many keys have one is bounded by who
 * publishes; of those that were removed, `removedMax` are remembered, and {@link completeFrom} says so.
 *
 * What a client is given of a key is the key as it is then, whole or as one change of what the client has. So the client is at no position of the topic until
 * it has been given everything up to the head: until then its own position stays where it was. See {@link Latest.isWalk}.
 */
export class LatestDocuments<T extends RecentItem> implements Latest<T> {
  readonly isWalk = true as const;
  readonly #form: ItemForm<T>;
  readonly #ring: Ring<T>;
  readonly #removedMax: number;
  readonly #entries = new Map<string | null, Entry<T>>();
  /** Those without a document, the longest removed first. */
  readonly #removed = new Map<string | null, Entry<T>>();
  /** In the order of the last change; undefined: it has changed again, or is forgotten. */
  #order: (Entry<T> | undefined)[] = [];
  /** Of the same: both rise. */
  #sequences: number[] = [];
  #offsets: number[] = [];
  #initial = INITIAL_SEQUENCE;
  #completeFrom: number;

  /** @param completeFrom the initial items have every change after this offset */
  constructor(form: ItemForm<T>, ring: Ring<T>, removedMax: number, completeFrom: number) {
    this.#form = form;
    this.#ring = ring;
    this.#removedMax = removedMax;
    this.#completeFrom = completeFrom;
  }

  get completeFrom(): number {
    return this.#completeFrom;
  }

  /** Of all keys, also of removed ones. */
  get size(): number {
    return this.#entries.size;
  }

  hasForgotten({ offset }: Position): boolean {
    return offset < this.#completeFrom;
  }

  set(item: T, sequence: number): undefined {
    const slot = this.#form.slotOf(item);
    const known = this.#entries.get(slot);
    // A key that is not here has no document: everything after that is here.
    const entry = known ?? { slot, window: new DocumentWindow(this.#form, 0), place: 0 };
    if (known === undefined) this.#entries.set(slot, entry);
    else this.#order[entry.place] = undefined;
    entry.window.add(item);
    entry.place = this.#order.length;
    this.#order.push(entry);
    this.#sequences.push(sequence < 0 ? this.#initial++ : sequence);
    this.#offsets.push(item.offset);
    this.#removed.delete(slot);
    if (entry.window.isRemoved) this.#remember(entry);
    if (this.#order.length > 2 * this.#entries.size + DEAD_MIN) this.#compact();
  }

  /** Whole documents. */
  between(from: number, _to: number): T[] {
    return this.next({ sequence: from, offset: 0 }, { bytesMax: Number.POSITIVE_INFINITY }).items;
  }

  after(offset: number): T[] | undefined {
    if (offset < this.#completeFrom) return undefined;
    return this.next({ sequence: -1, offset }, { bytesMax: Number.POSITIVE_INFINITY }).items;
  }

  /** The client has every key as it was at `from.offset`, or later; 0: nothing. Its offset moves only with the last of it, the sequence with every part. */
  next(from: Position, { bytesMax, until = Number.NEGATIVE_INFINITY, withoutRemoved = false }: NextOptions) {
    const items: T[] = [];
    let bytes = 0;
    let at = from.sequence === -1 ? indexAfter(this.#offsets, from.offset) : indexAfter(this.#sequences, from.sequence - 1);
    for (; at < this.#order.length; at++) {
      const window = this.#order[at]?.window;
      if (window === undefined || (withoutRemoved && window.isRemoved && (this.#sequences[at] as number) < until)) continue;
      const given = from.offset === 0 ? window.whole() : window.since(from.offset);
      if (given.length === 0) continue;
      // Offsets rise in what is given: the whole document of another key may be older than the last item.
      if ((given[0] as T).offset <= (items.at(-1)?.offset ?? from.offset)) given.splice(0, given.length, window.wholeNow());
      for (const item of given) bytes += this.#form.wireBytesOf(item);
      if (items.length > 0 && bytes > bytesMax) {
        return { items, position: { sequence: this.#sequences[at] as number, offset: from.offset } };
      }
      items.push(...given);
    }
    return { items, position: { sequence: this.#ring.next, offset: items.at(-1)?.offset ?? from.offset } };
  }

  #remember(entry: Entry<T>): void {
    this.#removed.set(entry.slot, entry);
    if (this.#removed.size <= this.#removedMax) return;
    const [oldest] = this.#removed.values() as Iterable<Entry<T>>;
    if (oldest === undefined) return;
    this.#removed.delete(oldest.slot);
    this.#entries.delete(oldest.slot);
    this.#order[oldest.place] = undefined;
    this.#completeFrom = Math.max(this.#completeFrom, oldest.window.offset);
  }

  #compact(): void {
    let kept = 0;
    for (const [at, entry] of this.#order.entries()) {
      if (entry === undefined) continue;
      this.#order[kept] = entry;
      this.#sequences[kept] = this.#sequences[at] as number;
      this.#offsets[kept] = this.#offsets[at] as number;
      entry.place = kept++;
    }
    this.#order.length = kept;
    this.#sequences.length = kept;
    this.#offsets.length = kept;
  }
}

/** Index of the first number above this one; they rise. */
function indexAfter(numbers: readonly number[], number: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) > number) high = middle;
    else low = middle + 1;
  }
  return low;
}
