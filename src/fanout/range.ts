import type { ItemRange } from './batch.ts';
import { coveredPlace } from './echo.ts';
import type { FanoutItem } from './item.ts';
import { FANOUT_ITEM_FORM } from './item-form.ts';
import type { Selection } from './selection.ts';
import type { Shard } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';

/** What a shard is to be sent. */
export interface ShardRange {
  readonly items: readonly FanoutItem[];
  readonly range: ItemRange;
  /** The `prev` of what comes after it. */
  readonly offset: number;
}

/**
 * Who is sent nothing of a topic, because nothing is selected, is told from time to time how far the topic has come: after so many publications, or so long, by
 * the times of the log. So little lies between its position and the head when it comes back.
 */
export const COVER_ITEMS = 128;
export const COVER_MS = 10_000;

/**
 * What the shard has not received, whole or as changes: every item, from the base of the ring if it has evicted some of them, so that the gap is visible; or, in a rate
 * class, the latest of every key that changed. Such a batch covers the whole range, so its `prev` is the shard's position.
 */
export function rangeOf(shard: Shard): ShardRange {
  const { feed, options } = shard.variant;
  const { ring, latest } = feed;
  const { selection } = options;
  if (selection !== undefined) return selectedRangeOf(shard, selection);
  const offset = ring.headOffset;
  if (options.rateHz === undefined) {
    const whole = ring.slice(shard.cursor, ring.next);
    const items = options.delta ? whole.map((item) => item.delta ?? item) : whole;
    return { items, range: { items, prev: prevOf(shard), conflated: 0 }, offset };
  }
  const whole = latest.isWalk ? walked(shard) : latest.between(shard.cursor, ring.next);
  const items = (options.delta && feed.deltas?.since(whole, shard.cursor, ring)) ?? whole;
  const conflated = Math.max(0, ring.next - shard.cursor - items.length);
  return { items, range: { items, prev: shard.offset, conflated, ...(latest.isWalk && { continues: false }) }, offset };
}

/** Every key that has changed, as it is now: all of it, however much that is. */
function walked({ cursor: sequence, offset, variant: { feed } }: Shard): FanoutItem[] {
  return feed.latest.next({ sequence, offset }, { bytesMax: Number.POSITIVE_INFINITY }).items;
}

/** Nothing is sent if nothing of it is selected. Then the next batch begins where this would have begun, and covers it too. */
function selectedRangeOf(shard: Shard, selection: Selection): ShardRange {
  const { cursor, offset, variant } = shard;
  const { feed, options } = variant;
  const { ring } = feed;
  const isRate = options.rateHz !== undefined;
  const all = isRate ? selection.latest(feed, cursor) : ring.slice(cursor, ring.next);
  const items = selection.select(all, hasDocumentAt(feed, cursor));
  const prev = isRate ? offset : prevOf(shard);
  const last = items.at(-1);
  if (last === undefined) {
    const isCovered = prev !== offset || isCoverDue(feed, offset);
    const range = { items: isCovered ? [coveredPlace(ring.headOffset)] : items, prev, conflated: 0 };
    return { items, range, offset: isCovered ? ring.headOffset : offset };
  }
  return { items, range: { items, prev, conflated: isRate ? ring.next - cursor - items.length : 0 }, offset: last.offset };
}

/** Before the item with this sequence. False: it is not known. */
function hasDocumentAt({ ring, hadDocument }: TopicFeed, sequence: number): boolean {
  if (sequence > ring.first) return !ring.at(sequence - 1).removed;
  // The ring has everything since the topic was opened.
  return ring.first === 0 && hadDocument;
}

function prevOf({ cursor, offset, variant: { feed } }: Shard): number {
  return cursor < feed.ring.first ? feed.ring.baseOffset : offset;
}

/** @param offset of what its members were sent last */
function isCoverDue({ namespace, ring }: TopicFeed, offset: number): boolean {
  if (!namespace.durable) return false;
  const sequence = ring.sequenceAfter(offset);
  if (sequence === undefined || ring.next - sequence >= COVER_ITEMS) return true;
  return ring.at(ring.next - 1).publishedAtMs - ring.at(sequence).publishedAtMs >= COVER_MS;
}

/** The latest items of a range that match, of every key: not only those that are the latest of their key. */
export function latestMatching(feed: TopicFeed, from: number, matches: (item: FanoutItem) => boolean): readonly FanoutItem[] {
  const { ring, latest } = feed;
  const found = new Map<string | null, FanoutItem>();
  const take = (item: FanoutItem) => {
    if (item.volatile || !matches(item)) return;
    const slot = FANOUT_ITEM_FORM.slotOf(item);
    found.delete(slot);
    found.set(slot, item);
  };
  if (from < ring.first) for (const item of latest.between(from, ring.first)) take(item);
  for (let sequence = Math.max(from, ring.first); sequence < ring.next; sequence++) take(ring.at(sequence));
  return [...found.values()];
}
