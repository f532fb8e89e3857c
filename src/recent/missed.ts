import type { RecentItem } from './item-form.ts';

/**
 * What a topic had after an offset, and the proof that this is everything: every publication after `completeFrom`, up to `offset`, is in `items`. A client at
 * `completeFrom` or later can continue from here without a gap. A client before it has missed something, and must start from the state.
 */
export interface Missed<T extends RecentItem> {
  /** The epoch of the log. */
  readonly epoch: string;
  /** Undefined: nothing is proven, or the requested position is from another epoch. */
  readonly completeFrom: number | undefined;
  readonly offset: number;
  /** Oldest first. */
  readonly items: readonly T[];
  /** The log has more, after the last of them. */
  readonly more?: boolean;
}

/** The answer for an epoch that the log does not have. */
export function nothingOf<T extends RecentItem>(epoch: string): Missed<T> {
  return { epoch, completeFrom: undefined, offset: 0, items: [] };
}

/** Whether everything after this offset is here; not beyond the end of the read. */
export function provesFrom<T extends RecentItem>({ epoch, completeFrom }: Missed<T>, presentEpoch: string, offset: number): boolean {
  return epoch === presentEpoch && completeFrom !== undefined && completeFrom <= offset;
}

/** Index of the first item after the offset. */
export function indexAfter<T extends RecentItem>(items: readonly T[], offset: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] as T).offset <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The newest of it that fit. The proof begins after what is left out. The last item always stays. */
export function newestOf<T extends RecentItem, M extends Missed<T>>(missed: M, bytesMax: number, bytesOf: (item: T) => number): M {
  const items = newestWithin<T>(missed.items as readonly T[], bytesMax, bytesOf);
  const leftOut = missed.items[missed.items.length - items.length - 1];
  return leftOut === undefined ? missed : { ...missed, completeFrom: leftOut.offset, items };
}

/** The last items: from just before the first of them. */
export function lastOf<T extends RecentItem>(missed: Missed<T>, count: number): Missed<T> {
  const items = missed.items.slice(-count);
  return { ...missed, completeFrom: Math.max(0, (items[0]?.offset ?? missed.offset) - 1), items };
}

/** The newest items that fit; always the last one. */
export function newestWithin<T extends RecentItem>(items: readonly T[], bytesMax: number, bytesOf: (item: T) => number): readonly T[] {
  let bytes = 0;
  const from = items.findLastIndex((item, at) => {
    bytes += bytesOf(item);
    return bytes > bytesMax && at < items.length - 1;
  });
  return items.slice(from + 1);
}
