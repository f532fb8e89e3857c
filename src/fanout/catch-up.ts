import type { SlowConsumerPolicy } from '../config/schema.ts';
import { indexAfter, type Missed, provesFrom } from '../recent/missed.ts';
import type { Position } from '../recent/position.ts';
import type { ItemRange } from './batch.ts';
import type { FanoutItem } from './item.ts';
import type { TopicFeed } from './topic-feed.ts';

/** Why a client starts over that cannot be told any more which keys have changed, or were removed. */
export const CHANGES_FORGOTTEN = 'what was missed is no longer known';

/** Items of a topic from before the ring, read from the hub. */
export type MissedItems = Missed<FanoutItem>;

export interface CatchUpRange extends ItemRange {
  readonly items: readonly FanoutItem[];
}

/** The next step for a connection that fell behind, or is new, while its socket has room. */
export type CatchUpStep =
  /** It has everything: it may join at the head. */
  | { readonly kind: 'caughtUp' }
  /** Send this; afterwards its position is `position`. */
  | { readonly kind: 'range'; readonly range: CatchUpRange; readonly skipped: number; readonly position: Position }
  /** Send nothing: the policy leaves everything out, or nothing of it is left. */
  | { readonly kind: 'skipped'; readonly skipped: number; readonly position: Position }
  /** The ring no longer has the next items; only the log does. */
  | { readonly kind: 'evicted' }
  /** Nobody can say any more what it has missed. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'close' };

/**
 * What a new subscription gets before its stream: the topic's state as of `until`, or everything that was published up to there. After that the namespace's
 * policy applies.
 */
export interface Start {
  readonly by: 'state' | 'replay';
  /** The client has nothing of the topic yet, so it need not be told about removed keys. */
  readonly fresh: boolean;
  readonly until: Position;
}

/**
 * The position of a connection that is catching up. Its two parts differ: `sequence` is how far the ring, or the state, has been processed (-1: by offset,
 * because it lies before the ring); `offset` is the client's own position, from which its next batch must continue.
 */
export interface Place {
  readonly position: Position;
  readonly policy: SlowConsumerPolicy;
  readonly start?: Start | undefined;
  /** Items from before the ring, if they have just been read. */
  readonly missed?: MissedItems | undefined;
}

/**
 * The next step for a member at `position`: first its initial items, then by its namespace's policy. A slow reader needs only a position, not a queue: what it
 * gets is read from the ring, or from the topic's state, when its socket has room.
 *
 * @param bytesMax bytes to send at once, in MessagePack; at least one item is sent
 */
export function nextCatchUpStep(feed: TopicFeed, { position, policy, start, missed }: Place, bytesMax: number): CatchUpStep {
  const { head, latest } = feed;
  if (latest.isWalk && (start !== undefined || policy === 'conflate' || (policy === 'replay' && !isWhere(feed, position))))
    return walk(feed, position, bytesMax, start);
  if (start !== undefined && position.sequence < start.until.sequence) {
    const { by, until, fresh } = start;
    if (by === 'replay') return replay(feed, position, bytesMax, until, missed);
    if (!fresh && feed.hasForgotten(position)) return { kind: 'lost' };
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
      if (feed.hasForgotten(position)) return { kind: 'lost' };
      const next = latest.next(position, { bytesMax });
      if (next.items.length === 0) return { kind: 'skipped', skipped: behind, position: head };
      const conflated = next.position.sequence - position.sequence - next.items.length;
      return {
        kind: 'range',
        range: { items: next.items, prev: position.offset, conflated },
        skipped: conflated,
        position: next.position,
      };
    }
    case 'replay':
      return replay(feed, position, bytesMax, head, missed);
  }
}

/** The client has exactly what came before this place of the ring: it is not in the middle of a walk. */
function isWhere({ ring }: TopicFeed, { sequence, offset }: Position): boolean {
  if (sequence <= ring.first) return sequence === ring.first && offset === ring.baseOffset;
  return ring.at(Math.min(sequence, ring.next) - 1).offset === offset;
}

/** Every key that has changed since the client's own position, as it is now. */
function walk(feed: TopicFeed, position: Position, bytesMax: number, start: Start | undefined): CatchUpStep {
  const { head, latest } = feed;
  if (position.sequence >= head.sequence) return { kind: 'caughtUp' };
  // Who began with the state has its keys as they were then, or later, although its position is still 0.
  const knownFrom = Math.max(position.offset, start?.fresh ? start.until.offset : 0);
  if (knownFrom < latest.completeFrom) return { kind: 'lost' };
  const next = latest.next(position, { bytesMax, ...(start?.fresh && { until: start.until.sequence, withoutRemoved: true }) });
  if (next.items.length === 0) return { kind: 'skipped', skipped: 0, position: next.position };
  const skipped = position.sequence < 0 ? 0 : Math.max(0, next.position.sequence - position.sequence - next.items.length);
  const continues = next.position.sequence < head.sequence;
  return {
    kind: 'range',
    range: { items: next.items, prev: position.offset, conflated: skipped, continues },
    skipped,
    position: next.position,
  };
}

/** The latest item of every key that last changed between the two. A key that has changed again comes after `until`. */
function fromState({ latest }: TopicFeed, position: Position, bytesMax: number, until: Position, withoutRemoved: boolean): CatchUpStep {
  const next = latest.next(position, { bytesMax, until: until.sequence, withoutRemoved });
  if (next.items.length > 0) return rangeOf(next.items, position, next.position.sequence, next.prev);
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
  let sequence = position.sequence;
  for (; sequence < until.sequence; sequence++) {
    const item = ring.at(sequence);
    if (item.volatile) continue;
    bytes += item.wireBytes;
    if (items.length > 0 && bytes > bytesMax) break;
    items.push(item);
  }
  const skipped = sequence - position.sequence - items.length;
  if (items.length === 0) return { kind: 'skipped', skipped, position: { sequence, offset: position.offset } };
  return { ...rangeOf(items, position, sequence), skipped };
}

/** Whether it has what comes after the position. */
function reaches({ epoch }: TopicFeed, missed: MissedItems, { offset }: Position): boolean {
  return provesFrom(missed, epoch, offset) && offset < missed.offset;
}

/** Not beyond `until`, even if the missed items continue: what comes after that is in the stream. */
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
  // After its last item there is nothing up to the offset that was read.
  const covered = at >= end ? Math.min(missed.offset, until.offset) : (items.at(-1)?.offset ?? position.offset);
  const joined = covered > ring.headOffset ? ring.next : ring.sequenceAfter(covered);
  if (items.length === 0) {
    return joined === undefined
      ? { kind: 'evicted' }
      : { kind: 'skipped', skipped: 0, position: { sequence: joined, offset: position.offset } };
  }
  return rangeOf(items, position, joined ?? Math.min(position.sequence + items.length, ring.first - 1));
}

/** @param prev the items cover everything after it; it is not after the position */
function rangeOf(
  items: readonly FanoutItem[],
  { offset }: Position,
  sequence: number,
  prev = offset,
): Extract<CatchUpStep, { kind: 'range' }> {
  const position = { sequence, offset: items.at(-1)?.offset ?? offset };
  return { kind: 'range', range: { items, prev, conflated: 0 }, skipped: 0, position };
}
