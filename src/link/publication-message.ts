import type { PublishedItem } from '../protocol/published-item.ts';

/** A publication, as workers get it. */
export type LinkItem = PublishedItem;

/** Where an item is in a feed. */
export interface FeedPlace {
  readonly topicNumber: number;
  /** The feed's offset just before the item; 0 for ephemeral topics. */
  readonly prev: number;
}

const NO_OTHERS: readonly FeedPlace[] = [];

/** One publication on its way to workers. All workers get the same object, so its bytes are created once, when a socket needs them. */
export class PublicationMessage {
  readonly kind = 'publication';
  readonly topicNumber: number;
  /** The topic's offset just before this item; 0 for ephemeral topics. */
  readonly prev: number;
  readonly item: LinkItem;
  /** Further feeds that it is for. */
  readonly others: readonly FeedPlace[];
  /** The encoded record, stored here so that it is created once for all workers. */
  encoded: Buffer | undefined = undefined;

  constructor(topicNumber: number, prev: number, item: LinkItem, others: readonly FeedPlace[] = NO_OTHERS) {
    this.topicNumber = topicNumber;
    this.prev = prev;
    this.item = item;
    this.others = others;
  }
}
