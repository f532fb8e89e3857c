import type { RecentItem } from './item-form.ts';
import type { Position } from './position.ts';

export interface NextOptions {
  /** Maximum bytes of the items in MessagePack; at least one item is returned. */
  readonly bytesMax: number;
  /** Only what changed before this ring sequence. */
  readonly until?: number;
  /** For a client without any items: it has none of the removed keys. A walk leaves out those that were removed before `until`. */
  readonly withoutRemoved?: boolean;
}

export interface NextItems<T extends RecentItem> {
  readonly items: T[];
  /** After them. */
  readonly position: Position;
  /** They cover everything after this offset, which is before the position: others at positions between the two need the same. */
  readonly prev?: number | undefined;
}

/**
 * A topic's state: what a client needs that has nothing of the topic: the latest item, the latest item of every key, or a document, with its changes.
 */
export interface Latest<T extends RecentItem> {
  /** The latest item of everything that changed after this offset is here. */
  readonly completeFrom: number;
  /**
   * What {@link next} gives of a key is the key as it is then, so it goes on to the head, whatever is published meanwhile. Until then the client's own position,
   * the offset, stays: that is where it has every key as it was, or later. Without this, each part of it is a position.
   */
  readonly isWalk?: true;
  /** Something that changed after the position may have been forgotten: {@link next} does not give it. Absent: nothing is ever forgotten. */
  hasForgotten?(position: Position): boolean;
  /**
   * @param sequence the item's place in the ring; -1 for an item from before the ring, or without one
   * @returns the item whose place it takes, if it is known; nothing for documents
   */
  set(item: T, sequence: number): T | undefined;
  /** It is not used any more: the bytes that it counts are given back. Absent: it counts none. */
  clear?(): void;
  /** Latest items that were pushed in [from, to), oldest first. `from` -1 includes items from before the ring. */
  between(from: number, to: number): T[];
  /** What changed after the offset, oldest first; undefined: a change may have been forgotten. */
  after(offset: number): T[] | undefined;
  /**
   * The latest items that changed after a position, oldest first, as many as fit. If the position's sequence is -1, only its offset counts.
   */
  next(from: Position, options: NextOptions): NextItems<T>;
}
