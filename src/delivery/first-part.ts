import type { MissedItems, Start } from '../fanout/catch-up.ts';
import { batchHeadBytes, encodeWithItems, type WireForm } from '../fanout/frame.ts';
import { type Beginning, firstPartOf } from '../fanout/recovery.ts';
import type { Selection } from '../fanout/selection.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Position } from '../recent/position.ts';

/** Size of the first part; each further one is twice as large. So even a connection that repeatedly breaks after 2 KB makes progress. */
export const FIRST_PART_BYTES = 1024;

export interface BeginningOptions {
  readonly beginning: Beginning;
  /** Where the stream continues if everything before it fits into one frame. */
  readonly until: Position;
  /** `subscribed` or `resync`, except its `items`. `offset` and `upTo` are set here. */
  readonly message: Record<string, unknown>;
  readonly form: WireForm & { readonly selection?: Selection };
  readonly frameBytesMax: number;
  readonly missed?: MissedItems | undefined;
}

/** The first message of a stream, and what is left for catching up. */
export interface BeginningFrames {
  readonly first: Uint8Array;
  /** The client's position after `first`. */
  readonly offset: number;
  /** Undefined: `first` has everything up to `until`. */
  readonly rest: { readonly position: Position; readonly start: Start } | undefined;
}

/**
 * If everything fits into one frame of the usual size, it is sent whole. Otherwise this message has a small part, and the rest follows in batches as the socket
 * accepts them. In a single message nothing would count until all of it has arrived: a client would time out before that, and a connection that breaks would
 * never make progress.
 */
export function beginningFrames(feed: TopicFeed, options: BeginningOptions): BeginningFrames {
  const { beginning, until, message, form, frameBytesMax, missed } = options;
  const roomBytes = frameBytesMax - batchHeadBytes(feed);
  const { selection, parts = false } = form;
  const all = firstPartOf(feed, beginning, { until, bytesMax: roomBytes, missed, selection });
  const { durable } = feed.namespace;
  // Others get the same item: it comes in frames that are made once for all of them. Ephemeral topics have no positions that would say where it belongs.
  const isLarge = durable && (all.items[0]?.wireBytes ?? 0) > frameBytesMax;
  if (all.whole && !isLarge) {
    // Who has nothing of a document is at no position: another node may know it.
    const offset = feed.isUnavailable && !beginning.recovered ? 0 : Math.max(until.offset, all.position.offset);
    message.offset = offset;
    const first = encodeWithItems(form, message, all.items);
    // JSON, and items with their times, are longer than the MessagePack that was counted.
    if (first.length <= frameBytesMax || (all.items.length <= 1 && !parts)) return { first, offset, rest: undefined };
  }
  // The rest goes up to the head at that time.
  const start = { ...(beginning.start ?? { by: 'replay', fresh: false }), until: feed.head } as const;
  if (durable) message.upTo = feed.head.offset;
  if (!isLarge) {
    const bytesMax = Math.min(FIRST_PART_BYTES, roomBytes);
    const { items, position } = firstPartOf(feed, beginning, { until: feed.head, bytesMax, missed, selection });
    const { offset } = position;
    message.offset = offset;
    const first = encodeWithItems(form, message, items);
    if (!parts || first.length <= frameBytesMax) return { first, offset, rest: { position, start } };
  }
  // Nothing of it yet: its first item is too large.
  const { position } = beginning;
  message.offset = position.offset;
  return { first: encodeWithItems(form, message, []), offset: position.offset, rest: { position, start } };
}
