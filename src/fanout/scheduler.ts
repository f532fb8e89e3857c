import { deflateFrame } from './deflate.ts';
import { DueQueue } from './due-queue.ts';
import { batchHeadBytes, encodeBatch, itemsPerFrame } from './frame.ts';
import type { FanoutItem } from './item.ts';
import { Quantum } from './quantum.ts';
import type { Shard } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';
import type { Variant } from './variant.ts';

/** Where frames go: the worker's native publish. */
export interface FanoutSink {
  publish(nativeTopic: string, frame: Uint8Array, binary: boolean): void;
  /** Told after a shard's frames: what they were, for metrics. */
  flushed(shard: Shard, flush: FlushInfo): void;
  /** Told before a shard's frames: `skipped` items are gone from the ring that its members have not had. */
  skipped(variant: Variant, shard: Shard, skipped: number): void;
}

export interface FlushInfo {
  readonly frames: readonly Uint8Array[];
  /** Publications that the frames cover. */
  readonly items: number;
  /** When the bus took the oldest of them. */
  readonly oldestPublishedAtMs: number;
}

export interface SchedulerOptions {
  readonly frameBytesMax: number;
  readonly loopGapMinMs: number;
  readonly loopGapMaxMs: number;
}

export interface TurnResult {
  /** Call {@link Scheduler.turn} again in the next loop turn. */
  readonly more: boolean;
  /** Call it again then at the latest; undefined: nothing waits. */
  readonly nextDueAtMs: number | undefined;
}

/** What the last flush of a variant made, for the shards at the same cursor behind it. */
interface MadeFrames {
  readonly variant: Variant;
  readonly from: number;
  readonly to: number;
  readonly sentAtMs: number;
  readonly frames: readonly Uint8Array[];
}

/**
 * Hands frames to native publish so that no topic, however large, holds up another. Each loop turn flushes shards, one of each topic in turn, until
 * about a quantum of members is queued; what arrives while a shard waits its turn joins its next frame. So an idle publication leaves in its own
 * turn, and under load batches grow by themselves exactly when they are needed. One per worker; no sockets, no clock.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #sink: FanoutSink;
  readonly #quantum: Quantum;
  /** Variants in a pass, in round-robin order: the first goes next, and to the end when it is not done. */
  readonly #ready = new Set<Variant>();
  readonly #waiting = new DueQueue<Variant>();
  #made: MadeFrames | undefined;
  #fullTurnAtMs: number | undefined;

  constructor(options: SchedulerOptions, sink: FanoutSink) {
    this.#options = options;
    this.#sink = sink;
    this.#quantum = new Quantum(options.loopGapMinMs, options.loopGapMaxMs);
  }

  get quantumMembers(): number {
    return this.#quantum.members;
  }

  /** The feed has new items: its variants want a pass. */
  wake(feed: TopicFeed, nowMs: number): void {
    for (const variant of feed.variants.values()) this.#want(variant, nowMs);
  }

  turn(nowMs: number): TurnResult {
    if (this.#fullTurnAtMs !== undefined) this.#quantum.adapt(nowMs - this.#fullTurnAtMs);
    for (const variant of this.#waiting.takeDue(nowMs)) {
      variant.waiting = false;
      this.#startPass(variant, nowMs);
    }
    let budget = this.#quantum.members;
    while (budget > 0) {
      const [variant] = this.#ready;
      if (variant === undefined) break;
      budget -= this.#flushNext(variant, nowMs);
    }
    this.#made = undefined;
    const more = this.#ready.size > 0;
    this.#fullTurnAtMs = more ? nowMs : undefined;
    return { more, nextDueAtMs: this.#waiting.nextDueAtMs };
  }

  /** @returns members served, 1 at least, so that a turn ends */
  #flushNext(variant: Variant, nowMs: number): number {
    this.#ready.delete(variant);
    const shard = variant.nextShard();
    variant.passLeft--;
    if (shard === undefined) {
      variant.passLeft = 0;
      return 1;
    }
    const head = variant.feed.ring.next;
    if (shard.cursor < head) this.#flush(variant, shard, nowMs);
    if (variant.passLeft > 0) this.#ready.add(variant);
    else if (variant.shards.some((other) => other.cursor < head)) this.#want(variant, nowMs);
    return Math.max(1, shard.members);
  }

  #want(variant: Variant, nowMs: number): void {
    if (variant.passLeft > 0 || variant.waiting || variant.shards.length === 0) return;
    const { intervalMs } = variant;
    // A rate class may send at once when its last pass is long ago; a flush interval always lets a batch gather.
    const dueAtMs = variant.options.rateHz === undefined ? nowMs + intervalMs : variant.passStartedAtMs + intervalMs;
    if (intervalMs === 0 || dueAtMs <= nowMs) {
      this.#startPass(variant, nowMs);
    } else {
      variant.waiting = true;
      this.#waiting.add(dueAtMs, variant);
    }
  }

  #startPass(variant: Variant, nowMs: number): void {
    variant.passStartedAtMs = nowMs;
    variant.passLeft = variant.shards.length;
    if (variant.passLeft > 0) this.#ready.add(variant);
  }

  #flush(variant: Variant, shard: Shard, nowMs: number): void {
    const { ring } = variant.feed;
    const binary = variant.options.encoding === 'msgpack';
    const conflating = variant.options.rateHz !== undefined;
    if (shard.cursor < ring.first && !conflating) this.#sink.skipped(variant, shard, ring.first - shard.cursor);
    const frames = this.#framesFor(variant, shard, nowMs);
    for (const frame of frames) this.#sink.publish(shard.nativeTopic, frame, binary);
    const oldest = ring.at(Math.max(shard.cursor, ring.first));
    this.#sink.flushed(shard, { frames, items: ring.next - shard.cursor, oldestPublishedAtMs: oldest.publishedAtMs });
    shard.cursor = ring.next;
    shard.offset = ring.headOffset;
  }

  #framesFor(variant: Variant, shard: Shard, nowMs: number): readonly Uint8Array[] {
    const { ring } = variant.feed;
    const made = this.#made;
    if (made !== undefined && made.variant === variant && made.from === shard.cursor && made.to === ring.next) return made.frames;
    const frames =
      variant.options.rateHz === undefined
        ? this.#joinedFrames(variant, ring.slice(shard.cursor, ring.next), nowMs)
        : this.#conflatedFrames(variant, shard, nowMs);
    this.#made = { variant, from: shard.cursor, to: ring.next, sentAtMs: nowMs, frames };
    return frames;
  }

  /** Every item, in as few frames as their size allows; each frame's `prev` is its first item's own. */
  #joinedFrames(variant: Variant, items: readonly FanoutItem[], nowMs: number): Uint8Array[] {
    return this.#frames(variant, items, nowMs, (item) => item.prev, 0);
  }

  /** The latest item of every key that changed: the batch still covers the whole stretch, so `prev` is where the shard stood. */
  #conflatedFrames(variant: Variant, shard: Shard, nowMs: number): Uint8Array[] {
    const { ring, latest } = variant.feed;
    const items = latest.between(shard.cursor, ring.next);
    const conflated = ring.next - shard.cursor - items.length;
    let covered = shard.offset;
    return this.#frames(
      variant,
      items,
      nowMs,
      () => covered,
      conflated,
      (last) => {
        covered = last.offset;
      },
    );
  }

  #frames(
    variant: Variant,
    items: readonly FanoutItem[],
    nowMs: number,
    prevOf: (first: FanoutItem) => number,
    conflated: number,
    onFrame?: (last: FanoutItem) => void,
  ): Uint8Array[] {
    const { encoding, deflate } = variant.options;
    const { topic, epoch } = variant.feed;
    const headBytes = batchHeadBytes(variant.feed);
    const frames: Uint8Array[] = [];
    for (let start = 0; start < items.length; ) {
      const count = itemsPerFrame(encoding, items, start, headBytes, this.#options.frameBytesMax);
      const stretch = items.slice(start, start + count);
      const prev = prevOf(stretch[0] as FanoutItem);
      const frame = encodeBatch(encoding, { topic, epoch, prev, sentAtMs: nowMs, conflated: start === 0 ? conflated : 0 }, stretch);
      frames.push(deflate ? deflateFrame(frame) : frame);
      onFrame?.(stretch[stretch.length - 1] as FanoutItem);
      start += count;
    }
    return frames;
  }
}
