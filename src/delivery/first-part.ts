import type { MissedItems, Start } from '../fanout/catch-up.ts';
import { batchHeadBytes, encodeWithItems, type WireForm } from '../fanout/frame.ts';
import { type Beginning, firstPartOf } from '../fanout/recovery.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Position } from '../recent/position.ts';

/** Of the first part; each is twice as large as the one before. A line that breaks after 2 KB, again and again, still brings something each time. */
export const FIRST_PART_BYTES = 1024;

export interface BeginningOptions {
  readonly beginning: Beginning;
  /** Where the stream goes on, if everything before it fits one frame. */
  readonly until: Position;
  /** `subscribed` or `resync`, but for `offset`, `upTo` and `items`. */
  readonly message: Readonly<Record<string, unknown>>;
  readonly form: WireForm;
  readonly frameBytesMax: number;
  readonly missed?: MissedItems | undefined;
}

/** The message that a stream begins with, and what is left to be given by catching up. */
export interface BeginningFrames {
  readonly first: Uint8Array;
  /** Undefined: `first` has everything up to `until`. */
  readonly rest: { readonly position: Position; readonly start: Start } | undefined;
}

/**
 * What fits one frame of the usual size comes whole. Of more, a little comes with this message, and the rest in batches as the socket takes it: in one
 * message none of it would count until all of it has come, a client's time-out would be over before that, and a line that breaks would never get on.
 */
export function beginningFrames(feed: TopicFeed, options: BeginningOptions): BeginningFrames {
  const { beginning, until, message, form, frameBytesMax, missed } = options;
  const roomBytes = frameBytesMax - batchHeadBytes(feed);
  const all = firstPartOf(feed, beginning, until, roomBytes, missed);
  if (all.whole) {
    const first = encodeWithItems(form, { ...message, offset: Math.max(until.offset, beginning.position.offset) }, all.items);
    // JSON, and items with their times, are longer than the MessagePack that was counted.
    if (first.length <= frameBytesMax || all.items.length <= 1) return { first, rest: undefined };
  }
  // The rest reaches to the head, whatever is there by now.
  const start = { ...(beginning.start ?? { by: 'replay', fresh: false }), until: feed.head } as const;
  const { items, position } = firstPartOf(feed, beginning, feed.head, Math.min(FIRST_PART_BYTES, roomBytes), missed);
  const upTo = feed.namespace.durable ? { upTo: feed.head.offset } : undefined;
  return { first: encodeWithItems(form, { ...message, offset: position.offset, ...upTo }, items), rest: { position, start } };
}
