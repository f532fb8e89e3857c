import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Position } from '../recent/position.ts';
import { FIRST_PART_BYTES } from './first-part.ts';
import type { Receiver } from './receiver.ts';
import type { Lagging, MembershipOptions } from './subscription.ts';

/**
 * What a stream of events certainly has of a topic: it knows exactly what its socket has accepted. Undefined: ask the shard.
 *
 * A peer without the SDK does not compare offsets, so it must not get anything twice.
 */
export function acceptedOf({ positions }: Receiver, shard: Shard): Position | undefined {
  const { feed } = shard.variant;
  const since = positions?.of(feed.topic);
  if (since === undefined || since.epoch !== feed.epoch) return undefined;
  const { offset } = since;
  if (offset === shard.offset) return { sequence: shard.cursor, offset };
  return { sequence: feed.ring.sequenceAfter(offset) ?? Math.min(shard.cursorBefore, feed.ring.first - 1), offset };
}

export function laggingAt(feed: TopicFeed, options: MembershipOptions, position: Position): Lagging {
  return {
    kind: 'lagging',
    feed,
    options,
    position,
    life: feed.life,
    start: undefined,
    waited: false,
    partBytes: FIRST_PART_BYTES,
    unsent: undefined,
    resyncReason: undefined,
    skipped: 0,
  };
}

/** About how much its next step sends. */
export function nextBytesOf({ unsent, partBytes }: Lagging): number {
  return unsent?.frames[unsent.sent]?.bytes.length ?? partBytes;
}

export function laggingIn(receiver: Receiver): Lagging[] {
  return [...receiver.subscriptions.values()].filter((subscription) => subscription.kind === 'lagging');
}
