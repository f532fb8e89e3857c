import type { SlowConsumerPolicy } from '../config/schema.ts';
import { indexAfter, type Missed, provesFrom } from '../recent/missed.ts';
import type { Position } from '../recent/position.ts';
import type { Stretch } from './batch.ts';
import type { FanoutItem } from './item.ts';
import type { TopicFeed } from './topic-feed.ts';

/** What the hub gave of a topic from before the ring. */
export type MissedItems = Missed<FanoutItem>;

export interface CatchUpStretch extends Stretch {
  readonly items: readonly FanoutItem[];
}

/** What a connection that fell behind, or has just come, is given next, while its socket takes it. */
export type CatchUpStep =
  /** It has everything: it may join at the head. */
  | { readonly kind: 'caughtUp' }
  /** Send this; then it stands at `position`. */
  | { readonly kind: 'stretch'; readonly stretch: CatchUpStretch; readonly skipped: number; readonly position: Position }
  /** Nothing is sent: the policy leaves it all out, or there is nothing left of it. */
  | { readonly kind: 'skipped'; readonly skipped: number; readonly position: Position }
  /** The ring no longer has what comes next: only the log does. */
  | { readonly kind: 'evicted' }
  | { readonly kind: 'close' };

/**
 * What a new subscription is given before its stream: the topic's state as of `until`, or everything that was published up to there. From there on the
 * namespace's policy counts.
 */
export interface Start {
  readonly by: 'state' | 'replay';
  /** The client has nothing of the topic yet, so it need not be told of keys that are gone. */
  readonly fresh: boolean;
  readonly until: Position;
}

/**
 * Where somebody stands who is being caught up. The two halves of `position` are two questions: `sequence` is how far the ring, or the state, has been
 * gone through (-1: by offset, since it lies before the ring); `offset` is the client's own position, from which its next batch must go on.
 */
export interface Place {
  readonly position: Position;
  readonly policy: SlowConsumerPolicy;
  readonly start?: Start | undefined;
  /** Items from before the ring, where somebody has just read them. */
  readonly missed?: MissedItems | undefined;
}

/**
 * The next step for a member that stands at `position`: first what it starts with, then by its namespace's policy. A slow reader costs a position, not a
 * queue: whatever it gets is read from the ring, or from the topic's state, when its socket has room.
 *
 * @param bytesMax how much the socket should be given at once, in MessagePack; one item goes in any case
 */
export function nextCatchUpStep(feed: TopicFeed, { position, policy, start, missed }: Place, bytesMax: number): CatchUpStep {
  const { head, latest } = feed;
  if (start !== undefined && position.sequence < start.until.sequence) {
    const { by, until, fresh } = start;
    if (by === 'replay') return replay(feed, position, bytesMax, until, missed);
    return fromState(feed, position, bytesMax, until, fresh);
  }
  const behind = head.sequence - position.sequence;
  if (behind <= 0) return { kind: 'caughtUp' };
  switch (policy) {
    case 'close':
      return { kind: 'close' };
    case 'skip':
      return { kind: 'skipped', skipped: behind, position: head };
    case 'conflate': {
      const next = latest.next(position, { bytesMax });
      // Keys past the state's bound are gone: what is left of the stretch has nothing to send.
      if (next.items.length === 0) return { kind: 'skipped', skipped: behind, position: head };
      const conflated = next.position.sequence - position.sequence - next.items.length;
      return {
        kind: 'stretch',
        stretch: { items: next.items, prev: position.offset, conflated },
        skipped: conflated,
        position: next.position,
      };
    }
    case 'replay':
      return replay(feed, position, bytesMax, head, missed);
  }
}

/** The latest item of every key that last changed between the two. What has changed again since comes after `until`. */
function fromState({ latest }: TopicFeed, position: Position, bytesMax: number, until: Position, withoutRemoved: boolean): CatchUpStep {
  const next = latest.next(position, { bytesMax, until: until.sequence, withoutRemoved });
  if (next.items.length > 0) return stretchOf(next.items, position, next.position.sequence);
  return { kind: 'skipped', skipped: 0, position: { sequence: until.sequence, offset: position.offset } };
}

function replay(feed: TopicFeed, position: Position, bytesMax: number, until: Position, missed: MissedItems | undefined): CatchUpStep {
  const { ring, holdings } = feed;
  if (position.sequence < ring.first) {
    const { state } = holdings;
    if (state !== undefined && position.offset >= state.completeFrom) {
      return fromState(feed, { sequence: -1, offset: position.offset }, bytesMax, until, false);
    }
    return missed !== undefined && reaches(feed, missed, position)
      ? fromMissed(feed, position, bytesMax, until, missed)
      : { kind: 'evicted' };
  }
  const items: FanoutItem[] = [];
  let bytes = 0;
  for (let sequence = position.sequence; sequence < until.sequence; sequence++) {
    const item = ring.at(sequence);
    bytes += item.wireBytes;
    if (items.length > 0 && bytes > bytesMax) break;
    items.push(item);
  }
  return stretchOf(items, position, position.sequence + items.length);
}

/** Has it what comes after the position? */
function reaches({ epoch }: TopicFeed, missed: MissedItems, { offset }: Position): boolean {
  return provesFrom(missed, epoch, offset) && offset < missed.offset;
}

/** Not beyond `until`, although what was missed may reach further: what comes after that comes by the stream. */
function fromMissed({ ring }: TopicFeed, position: Position, bytesMax: number, until: Position, missed: MissedItems): CatchUpStep {
  const items: FanoutItem[] = [];
  let bytes = 0;
  let at = indexAfter(missed.items, position.offset);
  const end = indexAfter(missed.items, until.offset);
  for (; at < end; at++) {
    const item = missed.items[at] as FanoutItem;
    bytes += item.wireBytes;
    if (items.length > 0 && bytes > bytesMax) break;
    items.push(item);
  }
  // Behind its last item there is nothing up to where it was read.
  const covered = at >= end ? Math.min(missed.offset, until.offset) : (items.at(-1)?.offset ?? position.offset);
  const joined = covered > ring.headOffset ? ring.next : ring.sequenceAfter(covered);
  if (items.length === 0) {
    return joined === undefined
      ? { kind: 'evicted' }
      : { kind: 'skipped', skipped: 0, position: { sequence: joined, offset: position.offset } };
  }
  return stretchOf(items, position, joined ?? Math.min(position.sequence + items.length, ring.first - 1));
}

function stretchOf(items: readonly FanoutItem[], { offset: prev }: Position, sequence: number): CatchUpStep {
  const position = { sequence, offset: items.at(-1)?.offset ?? prev };
  return { kind: 'stretch', stretch: { items, prev, conflated: 0 }, skipped: 0, position };
}
