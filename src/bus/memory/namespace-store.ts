import type { NamespaceOptions } from '../../config/schema.ts';
import { type FeedName, isPattern, keyOf, topicOf } from '../../protocol/feed-name.ts';
import { matchesPattern, type Topic } from '../../protocol/topic.ts';
import type { ReadRange, ReadResult } from '../log.ts';
import type { Publication } from '../publication.ts';
import { hasOneSubject } from '../subjects.ts';
import { EntryQueue, type LiveEntry } from './entry-queue.ts';
import { TopicIndex } from './topic-index.ts';

/** Memory of an entry besides its texts and payload: objects and places in three queues (approximate; measured with 100-byte payloads). */
const ENTRY_OVERHEAD_BYTES = 300;

/**
 * The publications of one durable namespace, limited by count per topic (per key), age and bytes. Pure: the time is passed in. Removal is oldest-first within a
 * topic (within a key of a keyed one), as in JetStream.
 */
export class NamespaceStore {
  readonly #options: NamespaceOptions;
  readonly #all = new EntryQueue();
  readonly #topics = new Map<Topic, TopicIndex>();
  #lastOffset = 0;
  #bytes = 0;
  #removedUpTo = 0;
  #expiredUpTo = 0;
  /** What was removed of topics that have nothing left had this offset or a lower one. */
  #emptiedUpTo = 0;

  constructor(options: NamespaceOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get lastOffset(): number {
    return this.#lastOffset;
  }

  get firstOffset(): number {
    return this.#all.oldest()?.offset ?? this.#lastOffset + 1;
  }

  get oldestAtMs(): number | undefined {
    return this.#all.oldest()?.publication.publishedAtMs;
  }

  /** @returns the publication with its offset */
  append(draft: Omit<Publication, 'offset'>): Publication {
    const publication = { ...draft, offset: ++this.#lastOffset };
    const entry: LiveEntry = { offset: publication.offset, bytes: bytesOf(publication), publication };
    this.#all.push(entry);
    this.#bytes += entry.bytes;
    const pushedOut = this.#index(publication.topic).push(entry, this.#options.history.maxCount);
    if (pushedOut !== undefined) this.#remove(pushedOut);
    while (this.#bytes > this.#options.history.maxBytes) this.removeOldest();
    return publication;
  }

  /** Removal by age or bytes may remove a key's only publication; removal by count does not. */
  removeOldest(): void {
    const oldest = this.#all.oldest();
    if (oldest === undefined) return;
    this.#expiredUpTo = oldest.offset;
    this.#remove(oldest);
  }

  expire(nowMs: number): void {
    const limitMs = nowMs - this.#options.history.maxAgeMs;
    while ((this.oldestAtMs ?? Number.POSITIVE_INFINITY) < limitMs) this.removeOldest();
  }

  /** Whether every publication after `offset` is still there. In a keyed namespace without patches: still there, or superseded by one of the same key. */
  isWholeAfter(offset: number): boolean {
    const { state, patch } = this.#options;
    return (state === 'keyed' && !patch ? this.#expiredUpTo : this.#removedUpTo) <= offset;
  }

  *after(offset: number): Generator<Publication> {
    for (const { publication } of this.#all.after(offset)) yield publication;
  }

  lastOffsetOf(name: FeedName): number {
    return this.readLast(name, 1)[0]?.offset ?? 0;
  }

  offsetBefore(atMs: number): number {
    const first = this.#all.first(({ publication }) => publication.publishedAtMs >= atMs);
    if (first === undefined) return this.#lastOffset;
    // What has been removed between the two may be of either side, so a read from here on must not count as whole.
    return this.#all.before(first.offset)?.offset ?? first.offset - 1;
  }

  read(name: FeedName, { after, upTo = this.#lastOffset, limit, bytesMax = Number.POSITIVE_INFINITY }: ReadRange): ReadResult {
    const publications: Publication[] = [];
    const anchored = this.#removedUpToOf(name) <= after;
    let more = false;
    let bytes = 0;
    for (const { offset, publication } of this.#entries(name, after)) {
      if (offset > upTo) break;
      bytes += publication.payload.length;
      more = publications.length === limit || (publications.length > 0 && bytes > bytesMax);
      if (more) break;
      publications.push(publication);
    }
    const fromFirst = hasOneSubject(name, this.#options) ? publications[0]?.offset : undefined;
    return { publications, anchored, provenAfter: anchored ? after : fromFirst, more };
  }

  readLast(name: FeedName, count: number): Publication[] {
    const last = isPattern(name) ? [...this.#entries(name, 0)].slice(-count) : (this.#only(name)?.last(count) ?? []);
    return last.map(({ publication }) => publication);
  }

  snapshot(name: FeedName, after: number): Publication[] {
    const latest = keyOf(name) === undefined ? this.#latest(name) : (this.#only(name)?.last(1) ?? []);
    return latest.filter(({ offset }) => offset > after).map(({ publication }) => publication);
  }

  /** Every removed publication of the name had this offset or a lower one. */
  #removedUpToOf(name: FeedName): number {
    if (!isPattern(name)) return this.#topics.get(topicOf(name) as Topic)?.removedUpTo ?? this.#removedUpTo;
    let upTo = this.#emptiedUpTo;
    for (const { removedUpTo } of this.#matching(name)) upTo = Math.max(upTo, removedUpTo);
    return upTo;
  }

  #matching(name: FeedName): TopicIndex[] {
    return [...this.#topics].filter(([topic]) => matchesPattern(name, topic)).map(([, index]) => index);
  }

  #latest(name: FeedName): LiveEntry[] {
    const index = this.#topics.get(name as Topic);
    if (!isPattern(name)) return index?.latest() ?? [];
    return this.#matching(name)
      .flatMap((matching) => matching.latest())
      .sort((a, b) => a.offset - b.offset);
  }

  /** The publications of the name after the offset. */
  #entries(name: FeedName, after: number): Iterable<LiveEntry> {
    if (!isPattern(name)) return this.#only(name)?.after(after) ?? [];
    return [...this.#all.after(after)].filter(({ publication }) => matchesPattern(name, publication.topic));
  }

  /** The publications of a topic, or of one key of it. */
  #only(name: FeedName): EntryQueue | undefined {
    return this.#topics.get(topicOf(name) as Topic)?.entries(keyOf(name));
  }

  #index(topic: Topic): TopicIndex {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    // An empty topic is forgotten, so its removed publications are known for the whole namespace only.
    const index = new TopicIndex(this.#emptiedUpTo);
    this.#topics.set(topic, index);
    return index;
  }

  #remove(entry: LiveEntry): void {
    const { topic, key } = entry.publication;
    const index = this.#topics.get(topic);
    (entry as { publication: Publication | undefined }).publication = undefined;
    this.#bytes -= entry.bytes;
    this.#removedUpTo = Math.max(this.#removedUpTo, entry.offset);
    this.#all.noteRemoved();
    index?.noteRemoved(entry.offset, key);
    if (!index?.isEmpty) return;
    this.#topics.delete(topic);
    this.#emptiedUpTo = Math.max(this.#emptiedUpTo, index.removedUpTo);
  }
}

function bytesOf({ topic, key, payload }: Publication): number {
  return topic.length + (key?.length ?? 0) + payload.length + ENTRY_OVERHEAD_BYTES;
}
