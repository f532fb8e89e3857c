import type { SlowConsumerPolicy } from '../config/schema.ts';
import type { Stretch } from './batch.ts';
import type { FanoutItem } from './item.ts';
import type { Position } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';

export interface CatchUpStretch extends Stretch {
  readonly items: readonly FanoutItem[];
}

/** What a connection that fell behind is given next, while its socket takes it. */
export type CatchUpStep =
  /** It has everything: it may rejoin at the head. */
  | { readonly kind: 'caughtUp' }
  /** Send this; then it stands at `position`. */
  | { readonly kind: 'stretch'; readonly stretch: CatchUpStretch; readonly skipped: number; readonly position: Position }
  /** Nothing is sent: the policy leaves it all out. */
  | { readonly kind: 'skipped'; readonly skipped: number; readonly position: Position }
  /** The ring no longer has what comes next: only the log does. */
  | { readonly kind: 'evicted' }
  | { readonly kind: 'close' };

/**
 * The next step for a member that has everything up to `position`, by its namespace's policy. A slow reader costs a position, not a queue: whatever it
 * gets is read from the ring, or from the topic's state, when its socket has room.
 *
 * @param bytesMax how much the socket should be given at once; one item goes in any case
 */
export function nextCatchUpStep(feed: TopicFeed, position: Position, policy: SlowConsumerPolicy, bytesMax: number): CatchUpStep {
  const { ring, latest, head } = feed;
  const behind = head.sequence - position.sequence;
  if (behind <= 0) return { kind: 'caughtUp' };
  switch (policy) {
    case 'close':
      return { kind: 'close' };
    case 'skip':
      return { kind: 'skipped', skipped: behind, position: head };
    case 'conflate': {
      const { items, end } = latest.next(position.sequence, bytesMax);
      // Keys past the state's bound are gone: what is left of the stretch has nothing to send.
      if (items.length === 0) return { kind: 'skipped', skipped: behind, position: head };
      const conflated = end - position.sequence - items.length;
      return step({ items, prev: position.offset, conflated }, conflated, end);
    }
    case 'replay': {
      if (position.sequence < ring.first) return { kind: 'evicted' };
      const items: FanoutItem[] = [];
      let bytes = 0;
      for (let sequence = position.sequence; sequence < ring.next; sequence++) {
        const item = ring.at(sequence);
        bytes += item.bytes;
        if (items.length > 0 && bytes > bytesMax) break;
        items.push(item);
      }
      return step({ items, prev: position.offset, conflated: 0 }, 0, position.sequence + items.length);
    }
  }
}

function step(stretch: CatchUpStretch, skipped: number, sequence: number): CatchUpStep {
  return { kind: 'stretch', stretch, skipped, position: { sequence, offset: stretch.items.at(-1)?.offset ?? stretch.prev } };
}
