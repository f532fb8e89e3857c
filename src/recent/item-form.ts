/** What the recent past must know of an item. */
export interface RecentItem {
  readonly offset: number;
  /** The key was removed. */
  readonly removed?: boolean;
}

/** How the items of a process are measured and identified: hub and worker keep different objects for the same publication. */
export interface ItemForm<T extends RecentItem> {
  /** Bytes of memory, including the objects around it. It must not change while the item is kept. */
  bytesOf(item: T): number;
  /** Bytes in a frame, in MessagePack. */
  wireBytesOf(item: T): number;
  /**
   * What the item is the latest of: its key. A feed of many topics (with a pattern as its name) would return topic and key here, and nothing else would change:
   * no class of this folder reads `key` itself.
   */
  slotOf(item: T): string | null;
}
