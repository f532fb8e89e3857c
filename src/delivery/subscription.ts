import type { BatchFrame } from '../fanout/batch.ts';
import type { Start } from '../fanout/catch-up.ts';
import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { VariantOptions } from '../fanout/variant.ts';
import type { Position } from '../recent/position.ts';
import type { Waiting } from './topic-table.ts';

/** The variant in which a connection wants a topic. */
export interface MembershipOptions {
  readonly variant: VariantOptions;
  /** False: the connection wants nothing that it publishes itself. */
  readonly echo: boolean;
}

/** The topic is being opened, or its history read. */
export interface Pending extends Waiting {
  readonly kind: 'pending';
}

/** Frames of a batch that the socket takes one after the other. The client's position when it has them is known when all have been sent. */
export interface Unsent {
  readonly frames: readonly BatchFrame[];
  /** Publications in all of its frames. */
  readonly items: number;
  /** How many have been sent. */
  sent: number;
  after: Position | undefined;
}

/** Not in the fast path: its socket must catch up, or it is new and still gets the first items of its stream. */
export interface Lagging {
  readonly kind: 'lagging';
  readonly feed: TopicFeed;
  options: MembershipOptions;
  /** What it has, as a position in the ring of this epoch of the feed. */
  position: Position;
  life: number;
  /** Set until it first reaches the head: what it gets before its stream. */
  start: Start | undefined;
  /** The socket had no room at some time: it is slow, and what it gets after its first items depends on the policy of its namespace. */
  waited: boolean;
  /** Size of the next part. The first ones are small, so that even a connection that breaks repeatedly makes progress. */
  partBytes: number;
  /** What has not been sent of the last batch yet. The position is before that. */
  unsent: Unsent | undefined;
  /** Why it starts over, if the reason is not a new epoch of the log. */
  resyncReason: string | undefined;
  /** Number of publications that it has not been given so far. */
  skipped: number;
}

/**
 * A connection's membership in a topic. `pending` while the topic is being opened or its history read. In the fast path it is the shard: the connection gets
 * what is published to that.
 */
export type Subscription = Pending | Shard | Lagging;
