import type { Position, Item as WireItem } from '../protocol/messages.ts';
import type { ItemSource } from './position-tracker.ts';

/** One publication, as the application gets it. */
export interface Item<T = unknown> {
  readonly topic: string;
  /** With `offset` the position to resume from; empty in ephemeral topics. */
  readonly epoch: string;
  readonly offset: number;
  /** What it is about, in keyed topics. */
  readonly key: string | null;
  readonly data: T;
  /** The key is gone. */
  readonly removed: boolean;
  /** The user who published it, where a client did. */
  readonly origin: string | undefined;
  readonly publishedAtMs: number | undefined;
  readonly source: ItemSource;
}

/** The topic's history could not be continued from where this client stood: what follows starts from the topic's state. */
export interface Resync<T = unknown> {
  readonly topic: string;
  readonly reason: string;
  /** The new position. */
  readonly epoch: string;
  readonly offset: number;
  /** The state: the latest item of every key. The same items follow as items with source `snapshot`. */
  readonly items: readonly Item<T>[];
}

/** This client was too slow, or its stream is thinned out. */
export interface Lagged {
  readonly topic: string;
  readonly policy: 'replay' | 'conflate' | 'skip' | 'close';
  /** Publications conflated or lost for this client. */
  readonly skipped: number;
}

/** How a stream began. */
export interface Subscribed extends Position {
  readonly topic: string;
  /** It goes on from the position asked for, with nothing missing. */
  readonly recovered: boolean;
  /** The rate class granted for `maxRateHz`. */
  readonly rateHz: number | undefined;
}

export interface History<T = unknown> extends Position {
  readonly items: readonly Item<T>[];
  /** Nothing between the position asked for and the last item is missing. */
  readonly complete: boolean;
  /** The limit cut the answer: ask again since its position. */
  readonly more: boolean;
}

/** Undefined for a place that is covered with nothing to deliver. */
export function toItem<T>(topic: string, epoch: string, item: WireItem, source: ItemSource): Item<T> | undefined {
  if (item.length === 1) return undefined;
  const [offset, key, data, meta] = item;
  return {
    topic,
    epoch,
    offset,
    key,
    data: data as T,
    removed: meta?.removed === true,
    origin: meta?.origin,
    publishedAtMs: meta?.publishedAtMs,
    source,
  };
}

export function toItems<T>(topic: string, epoch: string, items: readonly WireItem[], source: ItemSource): Item<T>[] {
  return items.flatMap((item) => toItem<T>(topic, epoch, item, source) ?? []);
}
