import type { DocumentChange } from '../document/fold.ts';
import type { PatchPair } from '../document/merge-patch.ts';

/** What the recent past must know of an item. */
export interface RecentItem {
  readonly offset: number;
  /** The key was removed. */
  readonly removed?: boolean;
}

/** @param topic of an item in a feed of a pattern; a key cannot be mistaken for it, because all of the feed's items have one */
export function slotOf(topic: string | undefined, key: string | null): string | null {
  if (topic === undefined) return key;
  return key === null ? topic : `${topic}#${key}`;
}

/** How the items of a process are measured and identified: hub and worker keep different objects for the same publication. */
export interface ItemForm<T extends RecentItem> {
  /** Bytes of memory, including the objects around it. It must not change while the item is kept. */
  bytesOf(item: T): number;
  /** Bytes in a frame, in MessagePack. */
  wireBytesOf(item: T): number;
  /** What the item is the latest of: its key, or in a feed of a pattern its topic and key. No class of this folder reads `key` itself. */
  slotOf(item: T): string | null;
  /** Absent: there are no documents. */
  readonly documents?: DocumentForm<T>;
}

/** How items of document topics are read, and how items with several changes are made. */
export interface DocumentForm<T extends RecentItem> {
  /** It changes the document; false: it sets or removes it. */
  isPatch(item: T): boolean;
  changeOf(item: T): DocumentChange;
  /** The whole document after the item `last`. */
  wholeItem(last: T, document: unknown): T;
  /** Several changes as one, the last of which is that of the item `last`. */
  pairItem(last: T, pair: PatchPair): T;
}
