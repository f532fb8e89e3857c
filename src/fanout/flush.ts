import { buildFrames, type Stretch } from './batch.ts';
import { splitByEcho } from './echo.ts';
import type { FanoutItem } from './item.ts';
import type { Sent, Shard } from './shard.ts';
import type { Variant } from './variant.ts';

/** Where frames go: the worker's sockets. */
export interface FanoutSink {
  /** What is published until {@link endVisit} goes to each socket in one write. */
  beginVisit(how: VisitKind): void;
  endVisit(): void;
  publish(shard: Shard, frame: Uint8Array, binary: boolean): void;
  /** To all members but one connection, which wants no echo. */
  publishExcept(shard: Shard, frame: Uint8Array, binary: boolean, connectionId: string): void;
  sendTo(connectionId: string, frame: Uint8Array, binary: boolean): void;
  /** Told after a shard's frames what each member was sent, for metrics. Called for every shard: it must be cheap. */
  flushed(shard: Shard, sent: Sent): void;
  /** Told once, when the last shard has been given what was made. */
  done(flush: Flush): void;
  /** Told before a shard's frames: `skipped` items are gone from the ring that its members have not had. */
  skipped(shard: Shard, skipped: number): void;
}

/**
 * How the sockets of a visit are written to. `native`: all its shards have native topics; each frame is handed to uWS once for all members of a shard, and
 * uWS joins what a socket gets. `direct`: frames gather for each socket, which is written to once. Never both in a visit: each would make a write.
 */
export type VisitKind = 'native' | 'direct';

/** Frames for a shard's members. */
interface Part {
  readonly frames: readonly Uint8Array[];
  /** For all but this connection, which gets `own` instead. */
  readonly except?: string;
  readonly own?: readonly Uint8Array[];
}

/** What a shard is given, from one place in the ring to another. */
export interface Flush {
  readonly from: number;
  readonly to: number;
  /** The topic's offset there. */
  readonly offset: number;
  readonly parts: readonly Part[];
  /** What each member is sent. */
  readonly sent: Sent;
  /** Publications that the ring had given up already. */
  readonly skipped: number;
  /** When the bus took the oldest publication that the frames cover. */
  readonly oldestPublishedAtMs: number;
}

/** Hands shards what they have not had. Frames are made once for all shards that stand at the same place. */
export class Flusher {
  readonly #sink: FanoutSink;
  readonly #frameBytesMax: number;
  #made = 0;

  constructor(sink: FanoutSink, frameBytesMax: number) {
    this.#sink = sink;
    this.#frameBytesMax = frameBytesMax;
  }

  /** Sets of frames made so far. */
  get made(): number {
    return this.#made;
  }

  /**
   * Gives the shard everything from its cursor up to the ring's head.
   *
   * @param tick the loop turn
   * @returns publications that each member was given or told of
   */
  flush(shard: Shard, nowMs: number, tick: number): number {
    const { variant } = shard;
    const { made } = variant;
    const { ring, withoutEcho } = variant.feed;
    if (withoutEcho.size === 0 && made?.from === shard.cursor && made.to === ring.next) return this.#give(shard, made, tick);
    this.finish(variant);
    const flush = this.#flushOf(shard, nowMs);
    // What is made for members that want no echo is for one shard only.
    if (withoutEcho.size > 0) this.#sink.done(flush);
    else variant.made = flush;
    return this.#give(shard, flush, tick);
  }

  beginVisit(shards: readonly Shard[]): void {
    this.#sink.beginVisit(shards.every(({ nativeTopic }) => nativeTopic !== undefined) ? 'native' : 'direct');
  }

  endVisit(): void {
    this.#sink.endVisit();
  }

  /** Nobody else is given what was made for the variant last. */
  finish(variant: Variant): void {
    if (variant.made !== undefined) this.#sink.done(variant.made);
    variant.made = undefined;
  }

  #give(shard: Shard, flush: Flush, tick: number): number {
    const items = flush.to - shard.cursor;
    if (flush.skipped > 0) this.#sink.skipped(shard, flush.skipped);
    // Before they leave: native publish reports what a socket drops of a large frame while it is called.
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

  #flushOf(shard: Shard, nowMs: number): Flush {
    const { cursor, variant } = shard;
    const { ring, withoutEcho } = variant.feed;
    const { items, stretch } = stretchOf(shard);
    const parts =
      withoutEcho.size === 0 ? [{ frames: this.#frames(variant, stretch, nowMs) }] : this.#partsByEcho(shard, items, stretch, nowMs);
    return {
      from: cursor,
      to: ring.next,
      offset: ring.headOffset,
      parts,
      sent: sentOf(parts, items.length),
      // To a rate class that is nothing: it is owed the latest of each key.
      skipped: variant.options.rateHz === undefined ? Math.max(0, ring.first - cursor) : 0,
      oldestPublishedAtMs: ring.at(Math.max(cursor, ring.first)).publishedAtMs,
    };
  }

  /** Where members of the shard may want nothing of what they published themselves. */
  #partsByEcho(shard: Shard, items: readonly FanoutItem[], whole: Stretch, nowMs: number): Part[] {
    const { variant } = shard;
    const { withoutEcho } = variant.feed;
    return splitByEcho(items, whole, (id) => withoutEcho.get(id) === shard).map(({ stretch, except, own }): Part => {
      const frames = this.#frames(variant, stretch, nowMs);
      return except === undefined || own === undefined ? { frames } : { frames, except, own: this.#frames(variant, own, nowMs) };
    });
  }

  #frames({ feed, options }: Variant, stretch: Stretch, nowMs: number): Uint8Array[] {
    this.#made++;
    return buildFrames(feed, options, stretch, nowMs, this.#frameBytesMax);
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
 * What the shard has not had. Every item, and then `prev` is the first one's own, so that a hole in the ring shows; or, in a rate class, the latest of
 * every key that changed: such a batch covers the stretch whole, so `prev` is where the shard stood.
 */
function stretchOf(shard: Shard): { items: readonly FanoutItem[]; stretch: Stretch } {
  const { feed, options } = shard.variant;
  const { ring, latest } = feed;
  if (options.rateHz === undefined) {
    const items = ring.slice(shard.cursor, ring.next);
    return { items, stretch: { items, prev: items[0]?.prev ?? shard.offset, conflated: 0 } };
  }
  const items = latest.between(shard.cursor, ring.next);
  return { items, stretch: { items, prev: shard.offset, conflated: ring.next - shard.cursor - items.length } };
}
