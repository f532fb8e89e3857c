import { type DocumentChange, Fold } from '../document/fold.ts';
import type { DocumentForm, ItemForm, RecentItem } from './item-form.ts';
import type { Latest, NextItems, NextOptions } from './latest.ts';
import type { Position } from './position.ts';
import type { Ring } from './ring.ts';
import { type StepBack, StepsBack } from './steps-back.ts';

/** With more changes after the whole document, it is made anew. */
const TAIL_ITEMS_MAX = 256;
/** The same for their bytes: half of the document's, and this. A new client gets both. */
const TAIL_BYTES_MIN = 256;

/**
 * The state of a document topic: the whole document at a recent point, and the changes since. The document is kept encoded. It is decoded and folded only when
 * the changes have become half as large as it is, so a change costs about its own size.
 *
 * What a client needs that is further back is one change up to that point, composed of everything in between, or the document, whichever is smaller. Clients at
 * different positions share it: a composed change may begin before a client's position. What came after that point is given one by one, or composed for a
 * client that is slow or has a rate class.
 */
export class LatestDocument<T extends RecentItem> implements Latest<T> {
  readonly completeFrom: number;
  readonly #form: ItemForm<T>;
  readonly #documents: DocumentForm<T>;
  readonly #ring: Ring<T>;
  /** The whole document; undefined: there was none when the topic was opened. */
  #base: T | undefined;
  #baseSequence = -1;
  /** The changes since; the first one's sequence follows the base's. */
  #tail: T[] = [];
  #tailBytes = 0;
  /** What they do, as far as they have been decoded. */
  #changes: DocumentChange[] = [];
  /** Several of the tail as one, up to its end, by index of the first. */
  readonly #composed = new Map<number, T>();
  #stepsBack: StepsBack<T> | undefined;

  constructor(form: ItemForm<T>, ring: Ring<T>, completeFrom: number) {
    this.#form = form;
    this.#documents = form.documents as DocumentForm<T>;
    this.#ring = ring;
    this.completeFrom = completeFrom;
  }

  set(item: T, sequence: number): undefined {
    this.#composed.clear();
    if (!this.#documents.isPatch(item)) {
      this.#rebase(item, sequence);
      return;
    }
    // A topic without any document before: its first change.
    if (this.#base === undefined && this.#tail.length === 0) this.#baseSequence = sequence - 1;
    this.#tail.push(item);
    this.#tailBytes += this.#form.wireBytesOf(item);
    const bytesMax = TAIL_BYTES_MIN + (this.#base === undefined ? 0 : this.#form.wireBytesOf(this.#base) / 2);
    if (this.#tail.length >= TAIL_ITEMS_MAX || this.#tailBytes > bytesMax) this.#refresh();
  }

  between(from: number, to: number): T[] {
    return to <= from ? [] : this.next({ sequence: from, offset: 0 }, { bytesMax: Number.POSITIVE_INFINITY }).items;
  }

  after(offset: number): T[] | undefined {
    if (offset < this.completeFrom) return undefined;
    return this.next({ sequence: -1, offset }, { bytesMax: Number.POSITIVE_INFINITY }).items;
  }

  /** Without `until`: as few items as possible. */
  next(from: Position, { bytesMax, until, withoutRemoved = false }: NextOptions): NextItems<T> {
    const items: T[] = [];
    let position = from;
    let prev: number | undefined;
    let bytes = 0;
    const take = (item: T, sequence: number) => {
      bytes += this.#form.wireBytesOf(item);
      if (items.length > 0 && bytes > bytesMax) return false;
      items.push(item);
      position = { sequence: sequence < 0 ? -1 : sequence + 1, offset: item.offset };
      return true;
    };
    let at = this.#indexInTail(from);
    if (at === undefined) {
      const step = withoutRemoved && from.offset === 0 ? undefined : this.#stepToBase(from);
      const base = step?.item ?? this.#base;
      // Who has nothing need not be told that there is nothing.
      if (base !== undefined && !(withoutRemoved && base.removed)) {
        take(base, this.#baseSequence);
        // A whole document covers everything before it.
        prev = step?.after ?? 0;
      }
      at = 0;
    }
    const first = this.#baseSequence + 1;
    if (until === undefined) {
      if (at < this.#tail.length) take(this.#composedFrom(at), first + this.#tail.length - 1);
      return { items, position, prev };
    }
    for (; at < this.#tail.length && first + at < until; at++) if (!take(this.#tail[at] as T, first + at)) break;
    return { items, position, prev };
  }

  /** Index of the first change of the tail after the position; undefined: it is before the base. */
  #indexInTail({ sequence, offset }: Position): number | undefined {
    if (sequence < 0) {
      if (this.#base !== undefined && offset < this.#base.offset) return undefined;
      const index = this.#tail.findIndex((item) => item.offset > offset);
      return index < 0 ? this.#tail.length : index;
    }
    return sequence <= this.#baseSequence ? undefined : Math.min(this.#tail.length, sequence - this.#baseSequence - 1);
  }

  /** One change from the position, or from before it, up to the base. Undefined: the base itself is smaller, or all that there is. */
  #stepToBase({ sequence, offset }: Position): StepBack<T> | undefined {
    const from = sequence < 0 ? this.#ring.sequenceAfter(offset) : sequence;
    if (from === undefined || from < this.#ring.first || this.#base === undefined) return undefined;
    this.#stepsBack ??= new StepsBack(this.#ring, this.#documents, this.#base, this.#baseSequence, this.#form.wireBytesOf(this.#base));
    return this.#stepsBack.from(from);
  }

  #composedFrom(index: number): T {
    const last = this.#tail.at(-1) as T;
    if (index === this.#tail.length - 1) return last;
    const known = this.#composed.get(index);
    if (known !== undefined) return known;
    const fold = Fold.ofChanges();
    for (let at = index; at < this.#tail.length; at++) fold.add(this.#changeAt(at));
    const composed = this.#documents.pairItem(last, fold.pairOfChanges());
    this.#composed.set(index, composed);
    return composed;
  }

  #changeAt(index: number): DocumentChange {
    const known = this.#changes[index];
    if (known !== undefined) return known;
    const change = this.#documents.changeOf(this.#tail[index] as T);
    this.#changes[index] = change;
    return change;
  }

  #refresh(): void {
    const fold = Fold.ofDocument(undefined);
    if (this.#base !== undefined) fold.add(this.#documents.changeOf(this.#base));
    for (let at = 0; at < this.#tail.length; at++) fold.add(this.#changeAt(at));
    this.#rebase(this.#documents.wholeItem(this.#tail.at(-1) as T, fold.document()), this.#baseSequence + this.#tail.length);
  }

  #rebase(base: T, sequence: number): void {
    this.#base = base;
    this.#baseSequence = sequence;
    this.#tail = [];
    this.#tailBytes = 0;
    this.#changes = [];
    this.#stepsBack = undefined;
  }
}
