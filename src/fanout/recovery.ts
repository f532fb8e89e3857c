import type { FanoutItem } from './item.ts';
import type { Shard } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';

/** A topic's past from before the ring, as the hub gave it. */
export interface Past {
  readonly epoch: string;
  /** Everything after this offset, up to `offset`, is in `items`; undefined: of another life. */
  readonly completeFrom: number | undefined;
  readonly offset: number;
  readonly items: readonly FanoutItem[];
}

/** What a client has: an offset in one life of the log. */
export interface Since {
  readonly epoch: string;
  readonly offset: number;
}

/** Can the worker itself answer for everything since then? */
export function isAtHand({ namespace, ring, latest }: TopicFeed, { offset }: Since): boolean {
  if (offset > ring.headOffset) return false;
  return ring.sequenceAfter(offset) !== undefined || (namespace.keyed && offset >= latest.completeFrom);
}

/** Has the ring, since the past was read, given up what should join the two? Then it is to be read again: what lies between is in the log. */
export function isOvertaken({ epoch, ring }: TopicFeed, past: Past | undefined): boolean {
  return past?.completeFrom !== undefined && past.epoch === epoch && past.offset < ring.baseOffset;
}

/** The ring sequence up to which a client has everything already: a shard that is not so far would repeat it. */
export function cursorOf({ ring }: TopicFeed, { offset }: Since): number {
  return offset > ring.headOffset ? ring.next : (ring.sequenceAfter(offset) ?? 0);
}

/**
 * Everything of the topic after `since` up to the shard's cursor, from where the shard's next batch goes on; undefined when that cannot be proven. Of a
 * keyed topic, where the ring does not reach back: the latest item of every key that changed.
 */
export function recover(feed: TopicFeed, shard: Shard, since: Since, past: Past | undefined): FanoutItem[] | undefined {
  const { namespace, latest } = feed;
  if (!namespace.durable || since.epoch !== feed.epoch) return undefined;
  const fromRing = feed.missedBetween(since.offset, shard);
  if (fromRing !== undefined) return fromRing;
  if (namespace.keyed && since.offset >= latest.completeFrom && since.offset <= shard.offset) {
    return latest.between(-1, shard.cursor).filter(({ offset }) => offset > since.offset);
  }
  if (past?.completeFrom === undefined || past.epoch !== feed.epoch || since.offset < past.completeFrom) return undefined;
  const items = past.items.filter(({ offset }) => offset > since.offset && offset <= shard.offset);
  if (past.offset >= shard.offset) return items;
  const rest = feed.missedBetween(Math.max(past.offset, since.offset), shard);
  return rest && [...items, ...rest];
}
