import { type BatchFrame, buildFrames, type ItemRange } from './batch.ts';
import { splitByEcho } from './echo.ts';
import type { Group } from './group.ts';
import type { FanoutItem } from './item.ts';
import type { Lane } from './lane.ts';
import { rangeOf, type ShardRange } from './range.ts';
import type { Recipient, Sent, Shard } from './shard.ts';
import type { Variant } from './variant.ts';

/** The destination of frames: the worker's sockets. */
export interface FanoutSink {
  /** To all members of a shard with a native topic. uWS joins what is published in a loop turn into one write per socket. */
  publish(shard: Shard, frame: Uint8Array, binary: boolean): void;
  /** Whether the connection is a member of the shard. */
  isMember(shard: Shard, connectionId: string): boolean;
  /**
   * To all members one frame after the other, each as its socket takes them: a large item in parts is more than may wait for a socket. They leave the shard before
   * its next flush.
   */
  give(shard: Shard, flush: Flush): void;
  /** To all members except one connection, which does not get what it has published. */
  publishExcept(shard: Shard, frame: Uint8Array, binary: boolean, connectionId: string): void;
  sendTo(connectionId: string, frame: Uint8Array, binary: boolean): void;
  /** Everything that waits for a recipient, in one write. */
  send(recipient: Recipient): void;
  /** Called with what each member is sent, for metrics. It is called for every shard, so it must be cheap. */
  flushed(shard: Shard, sent: Sent): void;
  /** Called once, when the last shard has been given the frames. */
  done(flush: Flush): void;
  /** The message for members that have not received `skipped` items, because the ring has evicted them. */
  skipped(variant: Variant, skipped: number): Uint8Array;
}

/** Without `prev` and `offset` it has no items. */
export type Frame = Pick<BatchFrame, 'bytes'> & Partial<BatchFrame>;

const NOTHING_SENT: Sent = { frames: 0, bytes: 0, items: 0 };

/** Frames for a shard's members. */
interface Part {
  readonly frames: readonly Frame[];
  /** For all except this connection, which gets `own` instead. */
  readonly except?: string;
  readonly own?: readonly Frame[];
}

/** What a shard is sent, from one position in the ring to another. */
export interface Flush {
  readonly variant: Variant;
  /** That of its frames: the topic may be reset while they wait. */
  readonly epoch: string;
  readonly from: number;
  readonly fromOffset: number;
  readonly to: number;
  /** The topic's offset there. With a selection: that of the last item that is sent; nothing of it lies between the two. */
  readonly offset: number;
  readonly parts: readonly Part[];
  /** What each member is sent. */
  readonly sent: Sent;
  /** It has a large item in parts, and is more than may wait for a socket: see {@link FanoutSink.give}. */
  readonly isGiven: boolean;
  /** When the bus stored the oldest publication in the frames. */
  readonly oldestPublishedAtMs: number;
  /** When it happened, if its producer says so. */
  readonly oldestEventAtMs: number | undefined;
}

/** The part's frames for one of the shard's members. */
export function framesFor({ frames, except, own }: Part, { id }: Recipient): readonly Frame[] {
  return except === id ? (own ?? []) : frames;
}

export interface FlusherOptions {
  readonly frameBytesMax: number;
  /** Bytes that may wait for a socket. */
  readonly lagThresholdBytes: number;
}

/** Sends shards what they have not received. Frames are created once for all shards at the same position. */
export class Flusher {
  readonly #sink: FanoutSink;
  readonly #options: FlusherOptions;
  #made = 0;

  constructor(sink: FanoutSink, options: FlusherOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  /** Number of frame sets created so far. */
  get made(): number {
    return this.#made;
  }

  /**
   * Publishes natively everything from the shard's cursor to the ring's head.
   *
   * @param tick the loop turn
   * @returns number of publications that each member was sent or told of
   */
  publish(shard: Shard, nowMs: number, tick: number): number {
    const flush = this.#advance(shard, nowMs, tick);
    if (isNothing(flush)) return 0;
    const binary = shard.variant.options.encoding === 'msgpack';
    if (flush.isGiven) this.#sink.give(shard, flush);
    else for (const part of flush.parts) this.#publish(shard, part, binary);
    return flush.to - flush.from;
  }

  /** The same for each member separately: the frames wait for the visit of its group. @param lane which is to visit the groups; undefined: it does now */
  gather(shard: Shard, nowMs: number, tick: number, lane?: Lane): number {
    const flush = this.#advance(shard, nowMs, tick);
    if (isNothing(flush)) return 0;
    if (flush.isGiven) this.#sink.give(shard, flush);
    else this.#wait(shard, flush, lane);
    return flush.to - flush.from;
  }

  #wait(shard: Shard, flush: Flush, lane: Lane | undefined): void {
    for (const recipient of shard.recipients) {
      const { group } = recipient;
      if (group === undefined) continue;
      if (recipient.add(flush)) group.waiting.push(recipient);
      lane?.expect(group);
    }
  }

  /** The same at once, with all that waits for the members. */
  send(shard: Shard, nowMs: number, tick: number): void {
    const flush = shard.cursor < shard.variant.feed.ring.next ? this.#advance(shard, nowMs, tick) : undefined;
    if (flush?.isGiven) this.#sink.give(shard, flush);
    for (const recipient of shard.recipients) {
      if (flush !== undefined && !flush.isGiven && !isNothing(flush)) recipient.add(flush);
      this.#sink.send(recipient);
    }
  }

  /** Everything that waits for the group's connections. @returns their number */
  sendWaiting(group: Group): number {
    const waiting = group.takeWaiting();
    for (const recipient of waiting) this.#sink.send(recipient);
    return waiting.length;
  }

  /** What was last created for the variant is not reused any more. */
  finish(variant: Variant): void {
    if (variant.made !== undefined) this.#done(variant.made);
    variant.made = undefined;
  }

  /** What the shard is to be sent; it counts as sent from now on, because a drop may be reported during the sending. */
  #advance(shard: Shard, nowMs: number, tick: number): Flush {
    const flush = this.#flushFor(shard, nowMs);
    // What is given counts when it is sent.
    const sent = flush.isGiven ? NOTHING_SENT : flush.sent;
    shard.advance(flush.to, flush.offset, tick, sent);
    this.#sink.flushed(shard, sent);
    return flush;
  }

  #flushFor(shard: Shard, nowMs: number): Flush {
    const { variant, group } = shard;
    const { made, feed } = variant;
    // Only where its items decide whether all members get the same.
    const known = this.#mayLeaveOut(shard) ? rangeOf(shard) : undefined;
    const isForAll = known === undefined || (feed.withoutEcho.size === 0 && !known.items.some((item) => this.#leavesOut(shard, item)));
    if (isForAll && made?.from === shard.cursor && made.to === feed.ring.next && made.fromOffset === shard.offset) return made;
    if (isForAll) this.finish(variant);
    const flush = this.#flushOf(shard, known ?? rangeOf(shard), isForAll, nowMs);
    // A direct shard has no others beside it, and frames that leave something out for one member are for its shard only.
    if (isForAll && group !== undefined) variant.made = flush;
    else this.#done(flush);
    return flush;
  }

  #done(flush: Flush): void {
    if (!isNothing(flush)) this.#sink.done(flush);
  }

  #publish(shard: Shard, { frames, except, own = [] }: Part, binary: boolean): void {
    if (except === undefined) {
      for (const { bytes } of frames) this.#sink.publish(shard, bytes, binary);
      return;
    }
    for (const { bytes } of frames) this.#sink.publishExcept(shard, bytes, binary, except);
    for (const { bytes } of own) this.#sink.sendTo(except, bytes, binary);
  }

  /** Whether a member may not get something of what the shard has not received. */
  #mayLeaveOut({ variant: { feed }, cursor }: Shard): boolean {
    return feed.withoutEcho.size > 0 || feed.noEchoUpTo > cursor;
  }

  /** Whether the connection that published the item is a member of the shard, and does not get it. */
  #leavesOut(shard: Shard, { connectionId, noEcho }: FanoutItem): boolean {
    if (connectionId === undefined) return false;
    return noEcho ? this.#sink.isMember(shard, connectionId) : shard.variant.feed.withoutEcho.get(connectionId) === shard;
  }

  #flushOf(shard: Shard, { items, range, offset: upTo }: ShardRange, isForAll: boolean, nowMs: number): Flush {
    const { cursor, offset, variant } = shard;
    const { ring } = variant.feed;
    const parts =
      isForAll || items.length === 0 ? [{ frames: this.#frames(variant, range, nowMs) }] : this.#partsByEcho(shard, items, range, nowMs);
    // A rate class has lost nothing: only the latest of each key is due.
    const skipped = variant.options.rateHz === undefined ? Math.max(0, ring.first - cursor) : 0;
    const oldest = ring.at(Math.max(cursor, ring.first));
    const sent = sentOf(parts, items.length);
    return {
      variant,
      epoch: variant.feed.epoch,
      from: cursor,
      fromOffset: offset,
      to: ring.next,
      offset: upTo,
      // The gap shows in the next batch's `prev`.
      parts: skipped === 0 ? parts : [{ frames: [{ bytes: this.#sink.skipped(variant, skipped) }] }, ...parts],
      sent,
      isGiven: variant.options.parts === true && skipped === 0 && sent.bytes > this.#options.lagThresholdBytes && hasParts(parts),
      oldestPublishedAtMs: oldest.publishedAtMs,
      oldestEventAtMs: oldest.eventAtMs,
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

  #frames({ feed, options }: Variant, range: ItemRange, nowMs: number): BatchFrame[] {
    this.#made++;
    return buildFrames(feed, options, range, nowMs, this.#options.frameBytesMax);
  }
}

function sentOf(parts: readonly Part[], items: number): Sent {
  let frames = 0;
  let bytes = 0;
  for (const part of parts) {
    frames += part.frames.length;
    for (const frame of part.frames) bytes += frame.bytes.length;
  }
  return { frames, bytes, items };
}

/** Only what is a part, and not the last one, leaves its receiver where it was. */
function hasParts(parts: readonly Part[]): boolean {
  return parts.some(({ frames }) => frames.some(({ prev, offset }) => prev !== undefined && prev === offset));
}

/** Nothing of what the shard has not received is selected by its members. */
function isNothing({ parts, sent }: Flush): boolean {
  return sent.frames === 0 && parts.length === 1;
}
