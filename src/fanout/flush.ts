import { buildFrames, type ItemRange } from './batch.ts';
import { splitByEcho } from './echo.ts';
import type { FanoutItem } from './item.ts';
import type { Sent, Shard } from './shard.ts';
import type { Variant } from './variant.ts';

/** The destination of frames: the worker's sockets. */
export interface FanoutSink {
  /** Everything published until {@link endVisit} goes to each socket in one write. */
  beginVisit(how: VisitKind): void;
  endVisit(): void;
  publish(shard: Shard, frame: Uint8Array, binary: boolean): void;
  /** Whether the connection is a member of the shard. */
  isMember(shard: Shard, connectionId: string): boolean;
  /** To all members except one connection, which does not get what it has published. */
  publishExcept(shard: Shard, frame: Uint8Array, binary: boolean, connectionId: string): void;
  sendTo(connectionId: string, frame: Uint8Array, binary: boolean): void;
  /** Called after a shard's frames with what each member was sent, for metrics. It is called for every shard, so it must be cheap. */
  flushed(shard: Shard, sent: Sent): void;
  /** Called once, when the last shard has been sent the frames. */
  done(flush: Flush): void;
  /** Called before a shard's frames: the ring has evicted `skipped` items that its members have not received. */
  skipped(shard: Shard, skipped: number): void;
}

/**
 * How the sockets of a visit are written to. `native`: all its shards have native topics; each frame is passed to uWS once for all members of a shard, and uWS
 * joins the frames of a socket. `direct`: frames are collected per socket, which is written to once. A visit never mixes them, because each would make a write
 * of its own.
 */
export type VisitKind = 'native' | 'direct';

/** Frames for a shard's members. */
interface Part {
  readonly frames: readonly Uint8Array[];
  /** For all except this connection, which gets `own` instead. */
  readonly except?: string;
  readonly own?: readonly Uint8Array[];
}

/** What a shard is sent, from one position in the ring to another. */
export interface Flush {
  readonly from: number;
  readonly to: number;
  /** The topic's offset there. */
  readonly offset: number;
  readonly parts: readonly Part[];
  /** What each member is sent. */
  readonly sent: Sent;
  /** Publications that the ring had already evicted. */
  readonly skipped: number;
  /** When the bus stored the oldest publication in the frames. */
  readonly oldestPublishedAtMs: number;
}

/** Sends shards what they have not received. Frames are created once for all shards at the same position. */
export class Flusher {
  readonly #sink: FanoutSink;
  readonly #frameBytesMax: number;
  #made = 0;

  constructor(sink: FanoutSink, frameBytesMax: number) {
    this.#sink = sink;
    this.#frameBytesMax = frameBytesMax;
  }

  /** Number of frame sets created so far. */
  get made(): number {
    return this.#made;
  }

  /**
   * Sends the shard everything from its cursor to the ring's head.
   *
   * @param tick the loop turn
   * @returns number of publications that each member was sent or told of
   */
  flush(shard: Shard, nowMs: number, tick: number): number {
    const { variant } = shard;
    const { made } = variant;
    const { ring } = variant.feed;
    const isForAll = this.#isForAll(shard);
    if (isForAll && made?.from === shard.cursor && made.to === ring.next) return this.#give(shard, made, tick);
    if (isForAll) this.finish(variant);
    const flush = this.#flushOf(shard, isForAll, nowMs);
    // Frames that leave something out for one member are for its shard only.
    if (isForAll) variant.made = flush;
    else this.#sink.done(flush);
    return this.#give(shard, flush, tick);
  }

  beginVisit(shards: readonly Shard[]): void {
    this.#sink.beginVisit(shards.every(({ nativeTopic }) => nativeTopic !== undefined) ? 'native' : 'direct');
  }

  endVisit(): void {
    this.#sink.endVisit();
  }

  /** What was last created for the variant is not reused any more. */
  finish(variant: Variant): void {
    if (variant.made !== undefined) this.#sink.done(variant.made);
    variant.made = undefined;
  }

  #give(shard: Shard, flush: Flush, tick: number): number {
    const items = flush.to - shard.cursor;
    if (flush.skipped > 0) this.#sink.skipped(shard, flush.skipped);
    // Before they are sent, because native publish reports a drop of a large frame during the call.
    shard.advance(flush.to, flush.offset, tick, flush.sent);
    const binary = shard.variant.options.encoding === 'msgpack';
    for (const part of flush.parts) this.#publish(shard, part, binary);
    this.#sink.flushed(shard, flush.sent);
    return items;
  }

  #publish(shard: Shard, { frames, except, own = [] }: Part, binary: boolean): void {
    if (except === undefined) {
      for (const frame of frames) this.#sink.publish(shard, frame, binary);
      return;
    }
    for (const frame of frames) this.#sink.publishExcept(shard, frame, binary, except);
    for (const frame of own) this.#sink.sendTo(except, frame, binary);
  }

  /** Whether all members get the same of what the shard has not received. */
  #isForAll(shard: Shard): boolean {
    const { withoutEcho, noEchoUpTo } = shard.variant.feed;
    if (withoutEcho.size > 0) return false;
    return noEchoUpTo <= shard.cursor || !rangeOf(shard).items.some((item) => this.#leavesOut(shard, item));
  }

  /** Whether the connection that published the item is a member of the shard, and does not get it. */
  #leavesOut(shard: Shard, { connectionId, noEcho }: FanoutItem): boolean {
    if (connectionId === undefined) return false;
    return noEcho ? this.#sink.isMember(shard, connectionId) : shard.variant.feed.withoutEcho.get(connectionId) === shard;
  }

  #flushOf(shard: Shard, isForAll: boolean, nowMs: number): Flush {
    const { cursor, variant } = shard;
    const { ring } = variant.feed;
    const { items, range } = rangeOf(shard);
    const parts = isForAll ? [{ frames: this.#frames(variant, range, nowMs) }] : this.#partsByEcho(shard, items, range, nowMs);
    return {
      from: cursor,
      to: ring.next,
      offset: ring.headOffset,
      parts,
      sent: sentOf(parts, items.length),
      // A rate class has lost nothing: only the latest of each key is due.
      skipped: variant.options.rateHz === undefined ? Math.max(0, ring.first - cursor) : 0,
      oldestPublishedAtMs: ring.at(Math.max(cursor, ring.first)).publishedAtMs,
    };
  }

  /** For shards with members that may not get what they published. */
  #partsByEcho(shard: Shard, items: readonly FanoutItem[], whole: ItemRange, nowMs: number): Part[] {
    const { variant } = shard;
    return splitByEcho(items, whole, (item) => this.#leavesOut(shard, item)).map(({ range, except, own }): Part => {
      const frames = this.#frames(variant, range, nowMs);
      return except === undefined || own === undefined ? { frames } : { frames, except, own: this.#frames(variant, own, nowMs) };
    });
  }

  #frames({ feed, options }: Variant, range: ItemRange, nowMs: number): Uint8Array[] {
    this.#made++;
    return buildFrames(feed, options, range, nowMs, this.#frameBytesMax);
  }
}

function sentOf(parts: readonly Part[], items: number): Sent {
  let frames = 0;
  let bytes = 0;
  for (const part of parts) {
    frames += part.frames.length;
    for (const frame of part.frames) bytes += frame.length;
  }
  return { frames, bytes, items };
}

/**
 * What the shard has not received: every item, with `prev` of the first one, so that a gap in the ring is visible; or, in a rate class, the latest of every key
 * that changed. Such a batch covers the whole range, so its `prev` is the shard's position.
 */
function rangeOf(shard: Shard): { items: readonly FanoutItem[]; range: ItemRange } {
  const { feed, options } = shard.variant;
  const { ring, latest } = feed;
  if (options.rateHz === undefined) {
    const items = ring.slice(shard.cursor, ring.next);
    return { items, range: { items, prev: items[0]?.prev ?? shard.offset, conflated: 0 } };
  }
  const items = latest.between(shard.cursor, ring.next);
  return { items, range: { items, prev: shard.offset, conflated: ring.next - shard.cursor - items.length } };
}
