import { hasDocuments } from '../protocol/feed-state.ts';
import type { Since } from '../recent/lives.ts';
import { provesFrom } from '../recent/missed.ts';
import type { Position } from '../recent/position.ts';
import { whereIsAfter } from '../recent/where.ts';
import { type MissedItems, nextCatchUpStep, type Start } from './catch-up.ts';
import type { FanoutItem } from './item.ts';
import type { Selection } from './selection.ts';
import type { TopicFeed } from './topic-feed.ts';

/** How a subscription begins: the items before its stream, and its position. */
export interface Beginning {
  /** Everything after the requested position is delivered. False: the state, or nothing, and the requested position is void. */
  readonly recovered: boolean;
  readonly position: Position;
  /** Undefined: the stream from now on, and nothing before it. */
  readonly start: Pick<Start, 'by' | 'fresh'> | undefined;
}

/** Its first part. */
export interface FirstPart {
  /** As they are given. */
  readonly items: readonly FanoutItem[];
  /** The position after it, and after what is not selected. */
  readonly position: Position;
  /** Nothing more comes before the stream. */
  readonly whole: boolean;
}

/** The ring sequence up to which a client already has everything: a shard that is behind it would repeat items. */
export function cursorOf({ ring }: TopicFeed, { offset }: Since): number {
  return offset >= ring.headOffset ? ring.next : (ring.sequenceAfter(offset) ?? 0);
}

/** From the topic's state, for a client that has nothing. */
export function fromStateOf({ namespace }: TopicFeed): Beginning {
  // Ephemeral topics have no offsets, and no state from before their ring.
  return { recovered: false, position: { sequence: namespace.durable ? -1 : 0, offset: 0 }, start: { by: 'state', fresh: true } };
}

/** With the stream alone. */
export const FROM_NOW_ON: Beginning = { recovered: false, position: { sequence: 0, offset: 0 }, start: undefined };

/**
 * How a client continues from `since`: with everything of the topic after it, if that is proven to be complete; in a keyed topic, if the ring does not reach
 * back, with the latest item of every key that changed; in a document topic with its changes as few, or with the document. Otherwise it starts again from the
 * state.
 */
export function goingOn(feed: TopicFeed, since: Since, missed: MissedItems | undefined): Beginning {
  const { namespace, epoch, head } = feed;
  const { offset } = since;
  if (!namespace.durable || since.epoch !== epoch) return fromStateOf(feed);
  // Nothing was missed: most clients of a node that restarts, or of a quiet topic.
  if (offset === head.offset) return { recovered: true, position: head, start: undefined };
  // A key may have been removed and forgotten since.
  if (feed.latest.isWalk && offset < feed.latest.completeFrom) return fromStateOf(feed);
  const isProven = missed !== undefined && provesFrom(missed, epoch, offset);
  const where = whereIsAfter(feed.holdings, offset);
  switch (where.kind) {
    case 'ring':
      // The changes of a document are composed.
      return {
        recovered: true,
        position: { sequence: where.sequence, offset },
        start: { by: hasDocuments(namespace) ? 'state' : 'replay', fresh: false },
      };
    case 'state':
      return { recovered: true, position: { sequence: -1, offset }, start: { by: 'state', fresh: false } };
    case 'ahead':
      // The position is from a node that was ahead: what this node has not passed yet comes in the stream. Missed items that end before the position prove
      // nothing about it.
      return isProven && missed.offset >= offset
        ? { recovered: true, position: { sequence: head.sequence, offset }, start: undefined }
        : fromStateOf(feed);
    case 'evicted':
      return isProven ? { recovered: true, position: { sequence: -1, offset }, start: { by: 'replay', fresh: false } } : fromStateOf(feed);
  }
}

export interface FirstPartOptions {
  readonly until: Position;
  readonly bytesMax: number;
  readonly missed?: MissedItems | undefined;
  readonly selection?: Selection | undefined;
}

/** What a subscription gets first, as much as fits. `whole` is also false if only the log has the rest. */
export function firstPartOf(feed: TopicFeed, beginning: Beginning, options: FirstPartOptions): FirstPart {
  const { bytesMax, missed, selection } = options;
  const until = feed.latest.isWalk ? feed.head : options.until;
  const start = beginning.start && { ...beginning.start, until };
  const items: FanoutItem[] = [];
  let { position } = beginning;
  let bytesLeft = bytesMax;
  let hasDocument = false;
  while (start !== undefined && position.sequence < until.sequence) {
    const step = nextCatchUpStep(feed, { position, policy: 'replay', start, missed }, bytesLeft);
    if (step.kind === 'range') {
      const given = selection === undefined ? step.range.items : selection.select(step.range.items, hasDocument);
      hasDocument = step.range.items.at(-1)?.removed === false;
      for (const { wireBytes } of given) bytesLeft -= wireBytes;
      if (bytesLeft < 0 && items.length > 0) return { items, position, whole: false };
      items.push(...given);
    } else if (step.kind !== 'skipped') return { items, position, whole: false };
    position = step.position;
  }
  return { items, position, whole: bytesLeft >= 0 || items.length <= 1 };
}
