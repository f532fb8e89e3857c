import type { Publication } from '../publication.ts';

/** A publication in the memory bus. One entry is in several queues at the same time. Removing it empties it, and each queue is told. */
export interface Entry {
  readonly offset: number;
  readonly bytes: number;
  /** undefined: removed. */
  publication: Publication | undefined;
}

export interface LiveEntry extends Entry {
  publication: Publication;
}

/** With fewer empty places than this, a queue is not rebuilt. */
const DEAD_KEPT_MAX = 32;

/**
 * Entries in offset order, oldest first. Removing from the middle leaves an empty place, which is cheap. Empty places never outnumber the live entries by more
 * than {@link DEAD_KEPT_MAX}, and adding and removing stay O(1) on average.
 */
export class EntryQueue {
  #entries: Entry[] = [];
  #head = 0;
  #live = 0;

  get size(): number {
    return this.#live;
  }

  /** Number of places, including empty ones. */
  get placeCount(): number {
    return this.#entries.length;
  }

  push(entry: LiveEntry): void {
    this.#entries.push(entry);
    this.#live++;
  }

  oldest(): LiveEntry | undefined {
    this.#skipDead();
    return this.#entries[this.#head] as LiveEntry | undefined;
  }

  /** The newest entry. It is the last one pushed, because removal is oldest-first. */
  newest(): LiveEntry | undefined {
    for (let i = this.#entries.length - 1; i >= this.#head; i--) {
      const entry = this.#entries[i];
      if (entry !== undefined && isLive(entry)) return entry;
    }
    return undefined;
  }

  /** Call when an entry of this queue has been emptied. */
  noteRemoved(): void {
    this.#live--;
    this.#skipDead();
    if (this.#entries.length - this.#live > this.#live + DEAD_KEPT_MAX) {
      this.#entries = this.#entries.filter(isLive);
      this.#head = 0;
    }
  }

  /** The live entries with offsets above `offset`, oldest first. Do not use it after the queue has changed. */
  *after(offset: number): Generator<LiveEntry> {
    for (let i = this.#indexAfter(offset); i < this.#entries.length; i++) {
      const entry = this.#entries[i];
      if (entry !== undefined && isLive(entry)) yield entry;
    }
  }

  /** The first live entry that fits. If one fits, so must all later ones. */
  first(fits: (entry: LiveEntry) => boolean): LiveEntry | undefined {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.#liveFrom(middle, high);
      if (at === high || fits(this.#entries[at] as LiveEntry)) high = middle;
      else low = at + 1;
    }
    return this.#entries[this.#liveFrom(low, this.#entries.length)] as LiveEntry | undefined;
  }

  /** The last live entry below `offset`. */
  before(offset: number): LiveEntry | undefined {
    let at = this.#indexAfter(offset - 1) - 1;
    while (at >= this.#head && this.#entries[at]?.publication === undefined) at--;
    return at >= this.#head ? (this.#entries[at] as LiveEntry) : undefined;
  }

  /** The last `count` live entries, oldest first. */
  last(count: number): LiveEntry[] {
    const found: LiveEntry[] = [];
    for (let i = this.#entries.length - 1; i >= this.#head && found.length < count; i--) {
      const entry = this.#entries[i];
      if (entry !== undefined && isLive(entry)) found.push(entry);
    }
    return found.reverse();
  }

  #skipDead(): void {
    while (this.#head < this.#entries.length && this.#entries[this.#head]?.publication === undefined) this.#head++;
  }

  /** The place of the first live entry from there on; `end`: there is none before it. */
  #liveFrom(from: number, end: number): number {
    let at = from;
    while (at < end && this.#entries[at]?.publication === undefined) at++;
    return at;
  }

  #indexAfter(offset: number): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as Entry).offset > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function isLive(entry: Entry): entry is LiveEntry {
  return entry.publication !== undefined;
}
