import type { FeedName } from '../protocol/feed-name.ts';
import type { Since } from '../recent/lives.ts';

/** A page of the past of a topic, after a position. */
export interface PageQuestion {
  readonly topic: FeedName;
  readonly epoch: string;
  readonly after: number;
  readonly limit: number;
  /** Overhead of a publication on the link and in memory, which is most of a small one, counts. A page has at least one publication. */
  readonly bytesMax: number;
  /** Every publication up to this offset, as in the log; or, for a keyed topic, the latest of each key. */
  readonly upTo?: number;
  /** With `upTo`: `complete` only if it is proven that nothing of the range has been removed. Otherwise a range is complete with what there is. */
  readonly proven?: boolean;
}

/** The first page of what lies between two times, or after a position and before a time. */
export interface RangeQuestion {
  readonly topic: FeedName;
  readonly fromMs?: number | undefined;
  readonly since?: Since | undefined;
  /** Absent: the end of the log. */
  readonly toMs?: number | undefined;
  readonly limit: number;
  readonly bytesMax: number;
}
