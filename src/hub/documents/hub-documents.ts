import type { NamespaceOptions } from '../../config/schema.ts';
import type { DocumentBounds } from '../../document/bounds.ts';
import type { LinkItem } from '../../link/publication-message.ts';
import { toBuffer } from '../../protocol/kept-bytes.ts';
import { unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import type { Key } from '../../protocol/topic.ts';
import type { Latest } from '../../recent/latest.ts';
import type { Position } from '../../recent/position.ts';
import { type DocumentProgress, documentBoundsOf, HubDocument, LOG_OVERHEAD_BYTES, type Taken } from './hub-document.ts';

/** What the documents of a topic may take. */
export interface TopicBounds extends DocumentBounds {
  /** Documents of one topic. */
  readonly keysMax: number;
  /** Of all of them together. */
  readonly topicBytesMax: number;
}

export function topicBoundsOf(namespace: NamespaceOptions): TopicBounds {
  const { documentKeysMax: keysMax, topicDocumentsBytesMax: topicBytesMax } = namespace;
  return { ...documentBoundsOf(namespace), keysMax, topicBytesMax };
}

/** A value of a patch takes at most so many times its own bytes in a document: numbers that were encoded shorter, times, and heads of maps that grow. */
const GROWTH_MAX = 3;
const GROWTH_BYTES = 64;

export interface HubDocumentsOptions {
  readonly bounds: TopicBounds;
  /** Removed keys that are remembered. */
  readonly removedMax: number;
  readonly completeFrom: number;
}

/** The documents of the keys of a topic in the hub, each folded once for all workers. They answer with whole documents. */
export class HubDocuments implements Latest<LinkItem> {
  readonly #bounds: TopicBounds;
  readonly #removedMax: number;
  /** In the order of their last change. */
  readonly #documents = new Map<Key, HubDocument>();
  /** Of keys without a document: their removal, in its order. */
  readonly #removed = new Map<Key, LinkItem>();
  /** Keys whose document is not known. While there are any, the topic has no state. */
  readonly #unknown = new Set<Key>();
  #completeFrom: number;
  /** Of all documents. */
  #bytes = 0;
  #last: Pick<LinkItem, 'offset' | 'publishedAtMs' | 'eventAtMs'> | undefined;
  #base: Pick<LinkItem, 'offset' | 'publishedAtMs'> | undefined;
  /** Publications since the last {@link mark}, by key: the log keeps a number of each. */
  readonly #changed = new Map<Key, number>();
  #mostChanged = 0;
  #changedBefore = 0;
  #changedBytes = 0;

  constructor({ bounds, removedMax, completeFrom }: HubDocumentsOptions) {
    this.#bounds = bounds;
    this.#removedMax = removedMax;
    this.#completeFrom = completeFrom;
  }

  get isKnown(): boolean {
    return this.#unknown.size === 0;
  }

  get completeFrom(): number {
    return this.#completeFrom;
  }

  /** Keys with a document. */
  get size(): number {
    return this.#documents.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get progress(): DocumentProgress {
    const { offset = 0, publishedAtMs = 0, eventAtMs } = this.#last ?? {};
    const { offset: baseOffset = 0, publishedAtMs: baseAtMs = 0 } = this.#base ?? {};
    const changes = this.#changedBefore + this.#mostChanged;
    return { offset, publishedAtMs, eventAtMs, baseOffset, baseAtMs, changes, changedBytes: this.#changedBytes, bytes: this.#bytes };
  }

  /** There is an image of them now: what the log has of each key counts from here on. */
  mark(): void {
    this.#changedBefore += this.#mostChanged;
    this.#mostChanged = 0;
    this.#changed.clear();
  }

  /** Those that there are. Only if all are known. */
  all(): Iterable<readonly [Key, HubDocument]> {
    return this.#documents;
  }

  take(item: LinkItem): Taken {
    const key = item.key as Key;
    const known = this.#documents.get(key);
    if (known === undefined && item.patch && this.#unknown.has(key)) return { kind: 'unknown' };
    if (item.removed) this.#remove(key, item);
    else {
      const problem = this.#roomProblem(known, item);
      if (problem !== undefined) return { kind: 'refused', problem };
      const document = known ?? new HubDocument(this.#bounds, 0, true);
      const before = known?.bytes ?? 0;
      const taken = document.take(item);
      if (taken.kind === 'refused') return taken;
      this.#put(key, document, before);
    }
    this.#count(key, item);
    if (this.isKnown) return { kind: 'folded' };
    this.#unknown.delete(key);
    return { kind: this.isKnown ? 'begun' : 'unknown' };
  }

  /** Why a publication with this key would not be taken. */
  problemOf(value: unknown, isPatch: boolean, key: Key | null): string | undefined {
    const known = this.#documents.get(key as Key);
    const document = known ?? new HubDocument(this.#bounds, 0, true);
    return document.problemOf(value, isPatch) ?? this.#problemOfBytes(known, document.bytesAfter(value, isPatch));
  }

  /** A document of the state: a whole one, or the removal of one. */
  set(item: LinkItem): undefined {
    const key = item.key as Key;
    if (item.removed) return this.#remove(key, item);
    const known = this.#documents.get(key);
    const document = known ?? new HubDocument(this.#bounds, 0, true);
    const before = known?.bytes ?? 0;
    document.set(item);
    this.#put(key, document, before);
    if (item.offset >= (this.#last?.offset ?? 0)) this.#last = item;
    return undefined;
  }

  /** They are as of this publication, which may be of a key that has no document. */
  setLast(last: Pick<LinkItem, 'offset' | 'publishedAtMs' | 'eventAtMs'>): void {
    this.#last = last;
    this.#base = last;
  }

  /** What these keys were folded from is not all of it. */
  forget(keys: Iterable<Key>): void {
    for (const key of keys) {
      this.#bytes -= this.#documents.get(key)?.bytes ?? 0;
      this.#documents.delete(key);
      this.#removed.delete(key);
      this.#unknown.add(key);
    }
  }

  isKnownKey(key: Key): boolean {
    return !this.#unknown.has(key);
  }

  /** The document of a key, or its removal; undefined: neither. */
  itemOf(key: Key): LinkItem | undefined {
    return this.#documents.get(key)?.between()[0] ?? this.#removed.get(key);
  }

  between(): LinkItem[] {
    return this.#itemsAfter(0);
  }

  after(offset: number): LinkItem[] | undefined {
    return !this.isKnown || offset < this.#completeFrom ? undefined : this.#itemsAfter(offset);
  }

  next(from: Position): { items: LinkItem[]; position: Position } {
    const items = this.#itemsAfter(from.offset);
    return { items, position: { sequence: -1, offset: items.at(-1)?.offset ?? from.offset } };
  }

  #itemsAfter(offset: number): LinkItem[] {
    if (!this.isKnown) return [];
    const items = [...this.#removed.values()].filter((item) => item.offset > offset);
    for (const document of this.#documents.values()) if (document.progress.offset > offset) items.push(...document.between());
    return items.sort((a, b) => a.offset - b.offset);
  }

  /** @param before bytes of the key's document */
  #put(key: Key, document: HubDocument, before: number): void {
    this.#bytes += document.bytes - before;
    this.#documents.delete(key);
    this.#documents.set(key, document);
    this.#removed.delete(key);
  }

  #remove(key: Key, item: LinkItem): undefined {
    this.#bytes -= this.#documents.get(key)?.bytes ?? 0;
    this.#documents.delete(key);
    this.#removed.delete(key);
    this.#removed.set(key, item);
    if (this.#removed.size <= this.#removedMax) return undefined;
    const [oldest] = this.#removed as Iterable<[Key, LinkItem]>;
    if (oldest === undefined) return undefined;
    this.#removed.delete(oldest[0]);
    this.#completeFrom = Math.max(this.#completeFrom, oldest[1].offset);
    return undefined;
  }

  #count(key: Key, item: LinkItem): void {
    const changed = (this.#changed.get(key) ?? 0) + 1;
    this.#changed.set(key, changed);
    this.#mostChanged = Math.max(this.#mostChanged, changed);
    this.#changedBytes += item.data.length + LOG_OVERHEAD_BYTES;
    // Not the item itself, which has the bytes of its data.
    const { offset, publishedAtMs, eventAtMs } = item;
    this.#last = { offset, publishedAtMs, eventAtMs };
    this.#base ??= { offset, publishedAtMs };
  }

  #roomProblem(known: HubDocument | undefined, { data, patch }: LinkItem): string | undefined {
    // Nearly always, without the exact sizes.
    if (known !== undefined && this.#bytes + GROWTH_MAX * data.length + GROWTH_BYTES <= this.#bounds.topicBytesMax) return undefined;
    const document = known ?? new HubDocument(this.#bounds, 0, true);
    return this.#problemOfBytes(known, document.bytesAfter(unpackMsgpack(toBuffer(data)), patch === true));
  }

  #problemOfBytes(known: HubDocument | undefined, bytesAfter: number): string | undefined {
    const { keysMax, topicBytesMax } = this.#bounds;
    if (known === undefined && this.#documents.size >= keysMax)
      return `the topic has documents for ${keysMax} keys, which are all that are allowed`;
    const bytes = this.#bytes - (known?.bytes ?? 0) + bytesAfter;
    if (bytes > topicBytesMax) return `the documents of the topic would have ${bytes} bytes; at most ${topicBytesMax} are allowed`;
    return undefined;
  }
}
