import type { Start } from '../fanout/catch-up.ts';
import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Variant, VariantOptions } from '../fanout/variant.ts';
import type { Position } from '../recent/position.ts';

/** How a connection wants a topic. */
export interface MembershipOptions {
  readonly variant: VariantOptions;
  /** False: the connection wants nothing of what it publishes itself. */
  readonly echo: boolean;
}

/** In the fast path: gets what is published to the shard. */
export interface Member {
  readonly kind: 'member';
  readonly feed: TopicFeed;
  readonly options: MembershipOptions;
  readonly variant: Variant;
  shard: Shard;
}

/** Not in the fast path: its socket has to catch up, or it has just come and is still being given what its stream starts with. */
export interface Lagging {
  readonly kind: 'lagging';
  readonly feed: TopicFeed;
  options: MembershipOptions;
  /** What it has; in the ring of this life of the feed. */
  position: Position;
  life: number;
  /** Set until it first comes to the head: what it is given before its stream. */
  start: Start | undefined;
  /** The socket had no room at some time since: it is slow, and what it gets beyond its start is by its namespace's policy. */
  waited: boolean;
  /** Of the next part. The first ones are small: a line that breaks again and again still brings something each time. */
  partBytes: number;
  /** Why it starts over, where something other than the log's life says so. */
  resyncReason: string | undefined;
  /** Publications that it was not given, so far. */
  skipped: number;
}

/** A connection's place in a topic. `pending` while the topic is being opened or its history read. */
export type Subscription = { readonly kind: 'pending' } | Member | Lagging;
