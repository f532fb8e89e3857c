import { Fold } from '../document/fold.ts';
import type { DocumentForm, ItemForm, RecentItem } from './item-form.ts';

/** With more changes after the whole document, it is made anew. */
const TAIL_ITEMS_MAX = 256;
/** The same for their bytes: half of the document's, and this. */
const TAIL_BYTES_MIN = 256;

/**
 * The document of one key, for its clients: the whole of it at a recent point, the changes since, and some of those before that point. So it takes about two
 * documents at most, and a change costs about its own size.
 */
export class DocumentWindow<T extends RecentItem> {
  readonly #form: ItemForm<T>;
  readonly #documents: DocumentForm<T>;
  /** The whole document, or its removal; undefined: there was none before the first change. */
  #base: T | undefined;
  /** Every change after {@link #from}; those from `#tailAt` on come after the base. */
  #changes: T[] = [];
  #from: number;
  #tailAt = 0;
  #tailBytes = 0;
  /** Changes up to the last one as one change, by the index of the first. */
  #composed: Map<number, T> | undefined;

  /** @param from its first item is the first of the key after this offset */
  constructor(form: ItemForm<T>, from: number) {
    this.#form = form;
    this.#documents = form.documents as DocumentForm<T>;
    this.#from = from;
  }

  /** Of the last item. */
  get offset(): number {
    return (this.#changes.at(-1) ?? this.#base)?.offset ?? 0;
  }

  /** There is no document. */
  get isRemoved(): boolean {
    return this.#changes.length === 0 && this.#base?.removed === true;
  }

  add(item: T): void {
    this.#composed = undefined;
    if (!this.#documents.isPatch(item)) {
      this.#base = item;
      this.#from = item.offset;
      this.#changes = [];
      this.#tailAt = 0;
      this.#tailBytes = 0;
      return;
    }
    this.#changes.push(item);
    this.#tailBytes += this.#form.wireBytesOf(item);
    const bytesMax = TAIL_BYTES_MIN + (this.#base === undefined ? 0 : this.#form.wireBytesOf(this.#base) / 2);
    if (this.#changes.length - this.#tailAt >= TAIL_ITEMS_MAX || this.#tailBytes > bytesMax) this.#refresh();
  }

  /** For who has nothing of it: the whole document, and what changed since, as one change. */
  whole(): T[] {
    if (this.#base === undefined) this.#refresh();
    const { length } = this.#changes;
    return length === this.#tailAt ? [this.#base as T] : [this.#base as T, this.#composedFrom(this.#tailAt)];
  }

  /** The same as one item. */
  wholeNow(): T {
    if (this.#base === undefined || this.#changes.length > this.#tailAt) this.#refresh();
    return this.#base as T;
  }

  /** For who has it as it was at this offset, or later: one change, which may begin before it; or the whole, if that is smaller or all that there is. */
  since(offset: number): T[] {
    if (this.offset <= offset) return [];
    if (offset < this.#from) return this.whole();
    let at = this.#changes.length;
    while (at > 0 && (this.#changes[at - 1] as T).offset > offset) at--;
    const change = this.#composedFrom(at);
    if (at >= this.#tailAt) return [change];
    const whole = this.whole();
    const bytes = whole.reduce((sum, item) => sum + this.#form.wireBytesOf(item), 0);
    return this.#form.wireBytesOf(change) < bytes ? [change] : whole;
  }

  /** Those who are about as far share one: it goes back by powers of two. */
  #composedFrom(index: number): T {
    const { length } = this.#changes;
    const last = this.#changes[length - 1] as T;
    let back = 1;
    while (back < length - index) back *= 2;
    if (back === 1) return last;
    const from = Math.max(index >= this.#tailAt ? this.#tailAt : 0, length - back);
    this.#composed ??= new Map();
    const known = this.#composed.get(from);
    if (known !== undefined) return known;
    const fold = Fold.ofChanges();
    for (let at = from; at < length; at++) fold.add(this.#documents.changeOf(this.#changes[at] as T));
    const composed = this.#documents.pairItem(last, fold.pairOfChanges());
    this.#composed.set(from, composed);
    return composed;
  }

  /** The changes since the last time stay, for those who are a little behind. */
  #refresh(): void {
    const fold = Fold.ofDocument(undefined);
    if (this.#base !== undefined) fold.add(this.#documents.changeOf(this.#base));
    for (let at = this.#tailAt; at < this.#changes.length; at++) fold.add(this.#documents.changeOf(this.#changes[at] as T));
    if (this.#tailAt > 0) {
      this.#from = (this.#changes[this.#tailAt - 1] as T).offset;
      this.#changes = this.#changes.slice(this.#tailAt);
    }
    this.#base = this.#documents.wholeItem(this.#changes.at(-1) as T, fold.document());
    this.#tailAt = this.#changes.length;
    this.#tailBytes = 0;
    this.#composed = undefined;
  }
}
