import type { Key } from '../../protocol/topic.ts';
import { EntryQueue, type LiveEntry } from './entry-queue.ts';

/** The publications of one topic, so that a read need not scan the namespace. In a keyed namespace they are indexed by key as well. */
export class TopicIndex {
  readonly #all = new EntryQueue();
  readonly #byKey = new Map<Key, EntryQueue>();
  /** Every removed publication of the topic had this offset or a lower one. */
  removedUpTo: number;

  /** @param removedUpTo no publication of the topic above this offset has been removed */
  constructor(removedUpTo: number) {
    this.removedUpTo = removedUpTo;
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Those of one key, or all. Undefined: there are none of that key. */
  entries(key: Key | undefined): EntryQueue | undefined {
    return key === undefined ? this.#all : this.#byKey.get(key);
  }

  /** @returns the entry that exceeds the count limit; the caller removes it */
  push(entry: LiveEntry, countMax: number): LiveEntry | undefined {
    this.#all.push(entry);
    const { key } = entry.publication;
    const limited = key === null ? this.#all : this.#keyQueue(key);
    if (limited !== this.#all) limited.push(entry);
    return limited.size > countMax ? limited.oldest() : undefined;
  }

  /** Call when the entry with this key has been emptied. */
  noteRemoved(offset: number, key: Key | null): void {
    this.removedUpTo = Math.max(this.removedUpTo, offset);
    this.#all.noteRemoved();
    if (key === null) return;
    const queue = this.#byKey.get(key);
    queue?.noteRemoved();
    if (queue?.size === 0) this.#byKey.delete(key);
  }

  /** The latest entry of every key (of the topic, if it is not keyed), oldest first. */
  latest(): LiveEntry[] {
    const queues = this.#byKey.size > 0 ? [...this.#byKey.values()] : [this.#all];
    return queues.flatMap((queue) => queue.newest() ?? []).sort((a, b) => a.offset - b.offset);
  }

  #keyQueue(key: Key): EntryQueue {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const queue = new EntryQueue();
    this.#byKey.set(key, queue);
    return queue;
  }
}
