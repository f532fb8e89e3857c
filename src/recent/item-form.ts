/** What the recent past must know of an item. */
export interface RecentItem {
  readonly offset: number;
  /** The key is gone. */
  readonly removed?: boolean;
}

/** How the items of a process are measured and told apart: hub and worker keep different objects for the same publication. */
export interface ItemForm<T extends RecentItem> {
  /** Bytes of memory, with the objects around it. It must not change while the item is kept. */
  bytesOf(item: T): number;
  /** Bytes in a frame, in MessagePack. */
  wireBytesOf(item: T): number;
  /**
   * What the item is the latest of: its key. A feed of many topics (one whose name is a pattern) names topic and key here, and nothing else changes: no
   * class of this folder looks at `key` itself.
   */
  slotOf(item: T): string | null;
}
