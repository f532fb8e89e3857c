import type { PatchPair } from '../document/merge-patch.ts';
import type { Position, Item as WireItem } from '../protocol/messages.ts';
import type { Tags } from '../protocol/tags.ts';
import type { ItemSource } from './position-tracker.ts';

/** One publication, as the application receives it. */
export interface Item<T = unknown> {
  /** With a pattern: the topic that it was published to. */
  readonly topic: string;
  /** Together with `offset` the position to resume from; empty in ephemeral topics. */
  readonly epoch: string;
  readonly offset: number;
  /** The key, in keyed topics. */
  readonly key: string | null;
  readonly data: T;
  /** The key was removed. */
  readonly removed: boolean;
  /** The user who published it, if a client did. */
  readonly origin: string | undefined;
  /** When the log stored it, milliseconds since 1970, where the subscription or the request has `timestamps: true`. */
  readonly publishedAtMs: number | undefined;
  /** When it happened, by its producer's clock, milliseconds since 1970, if the producer says so. */
  readonly eventAtMs: number | undefined;
  /** What its producer marked it with. */
  readonly tags: Tags | undefined;
  readonly source: ItemSource;
  /**
   * In a topic with a document: the change that made it of the document before. Undefined: it is whole. `data` is the document with the options of
   * `@stentor-broadcast/client/document`, and the patch itself without them.
   */
  readonly patch: PatchPair | undefined;
}

/** The stream could not be continued from this client's position. It starts again from the topic's state. */
export interface Resync<T = unknown> {
  readonly topic: string;
  readonly reason: string;
  /** The new position. */
  readonly epoch: string;
  readonly offset: number;
  /** The state: the latest item of every key. The same items follow as items with source `snapshot`. */
  readonly items: readonly Item<T>[];
}

/** This client was too slow, so its stream skips publications. */
export interface Lagged {
  readonly topic: string;
  readonly policy: 'replay' | 'conflate' | 'skip' | 'close';
  /** Publications that were conflated or left out for this client. */
  readonly skipped: number;
}

/** How a stream began. */
export interface Subscribed extends Position {
  readonly topic: string;
  /** It resumed at the requested position, with nothing missing. */
  readonly recovered: boolean;
  /** The granted rate class for `maxRateHz`. */
  readonly rateHz: number | undefined;
  /** The topic's document is not known: it comes with a resync, when it is published as a whole. */
  readonly state: 'unavailable' | undefined;
}

export interface History<T = unknown> extends Position {
  readonly items: readonly Item<T>[];
  /** Nothing is missing between the requested position and the last item. */
  readonly complete: boolean;
  /** The limit cut the answer: ask again from its position. */
  readonly more: boolean;
}

/** Undefined for an item that has nothing to deliver. */
export function toItem<T>(topic: string, epoch: string, item: WireItem, source: ItemSource): Item<T> | undefined {
  if (item.length === 1) return undefined;
  const [offset, key, data, meta] = item;
  return {
    topic: meta?.topic ?? topic,
    epoch,
    offset,
    key,
    data: data as T,
    removed: meta?.removed === true,
    origin: meta?.origin,
    publishedAtMs: meta?.publishedAtMs,
    eventAtMs: meta?.eventAtMs,
    tags: meta?.tags,
    source,
    patch: meta?.patch && { first: meta.first, patch: data },
  };
}

export function toItems<T>(topic: string, epoch: string, items: readonly WireItem[], source: ItemSource): Item<T>[] {
  return items.flatMap((item) => toItem<T>(topic, epoch, item, source) ?? []);
}
