import { buildFrames, type Stretch } from './batch.ts';
import { DueQueue } from './due-queue.ts';
import { splitByEcho } from './echo.ts';
import type { FanoutItem } from './item.ts';
import { Quantum } from './quantum.ts';
import { MemberCost, restAfterPassMs, sharedWorkMs } from './rest.ts';
import type { Sent, Shard } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';
import type { Made, Part, Variant } from './variant.ts';

/** Where frames go: the worker's native publish. */
export interface FanoutSink {
  publish(nativeTopic: string, frame: Uint8Array, binary: boolean): void;
  /** To all members but one connection, which wants no echo. */
  publishExcept(nativeTopic: string, frame: Uint8Array, binary: boolean, connectionId: string): void;
  sendTo(connectionId: string, frame: Uint8Array, binary: boolean): void;
  /** Told after a shard's frames: what they were, for metrics. */
  flushed(shard: Shard, flush: FlushInfo): void;
  /** Told before a shard's frames: `skipped` items are gone from the ring that its members have not had. */
  skipped(variant: Variant, shard: Shard, skipped: number): void;
}

export interface FlushInfo extends Sent {
  /** When the bus took the oldest publication that the frames cover. */
  readonly oldestPublishedAtMs: number;
}

export interface SchedulerOptions {
  readonly frameBytesMax: number;
  readonly loopGapMinMs: number;
  readonly loopGapMaxMs: number;
  /** Longest rest after a pass that joined several items; 0: none. */
  readonly restMaxMs: number;
}

export interface TurnResult {
  /** Call {@link Scheduler.turn} again in the next loop turn. */
  readonly more: boolean;
  /** Call it again then at the latest; undefined: nothing waits. */
  readonly nextDueAtMs: number | undefined;
}

/** One shard's turn in a pass. */
interface Visit {
  readonly variant: Variant;
  /** Undefined: it has everything. */
  readonly shard: Shard | undefined;
  readonly members: number;
  /** The pass ends with it. */
  readonly isLast: boolean;
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
  readonly #madeThisTurn: Variant[] = [];
  readonly #memberCost = new MemberCost();
  /** What all flushes have cost the loop, by estimate. */
  #workMs = 0;
  #fullTurn: { readonly atMs: number; readonly members: number } | undefined;

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

  /** @param tick counts loop turns: rounds of one loop turn, before uWS has sent anything, have the same */
  turn(nowMs: number, tick: number): TurnResult {
    this.#learn(nowMs);
    for (const variant of this.#waiting.takeDue(nowMs)) {
      variant.waiting = false;
      this.#startPass(variant, nowMs);
    }
    let budget = this.#quantum.members;
    while (budget > 0 && this.#ready.size > 0) budget -= this.#flushSome(budget, nowMs, tick);
    for (const variant of this.#madeThisTurn.splice(0)) variant.made = undefined;
    const more = this.#ready.size > 0;
    this.#fullTurn = more ? { atMs: nowMs, members: this.#quantum.members - budget } : undefined;
    return { more, nextDueAtMs: this.#waiting.nextDueAtMs };
  }

  /** A turn that left work behind is followed by another at once: the time between them is what its sends took. */
  #learn(nowMs: number): void {
    if (this.#fullTurn === undefined) return;
    const { atMs, members } = this.#fullTurn;
    this.#memberCost.learn(nowMs - atMs, members);
    this.#quantum.adapt(nowMs - atMs);
  }

  /**
   * Flushes shards of the variants in a pass, one of each in turn. The largest topic's go first to native publish: uWS sends in the reverse order (each
   * new subscriber heads its list of those to drain), so that a small topic's members do not wait for a large one's.
   *
   * @returns members served, 1 at least for each shard, so that a turn ends
   */
  #flushSome(budget: number, nowMs: number, tick: number): number {
    const visits: Visit[] = [];
    let served = 0;
    while (served < budget) {
      const [variant] = this.#ready;
      if (variant === undefined) break;
      const visit = this.#visitNext(variant);
      visits.push(visit);
      served += Math.max(1, visit.members);
    }
    if (visits.length > 1) visits.sort((a, b) => b.variant.feed.members - a.variant.feed.members);
    for (const { variant, shard } of visits) {
      if (shard !== undefined) this.#flush(variant, shard, nowMs, tick);
    }
    for (const { variant, isLast } of visits) if (isLast) this.#endPass(variant, nowMs);
    return served;
  }

  #visitNext(variant: Variant): Visit {
    this.#ready.delete(variant);
    const shard = variant.nextShard();
    variant.passLeft = shard === undefined ? 0 : variant.passLeft - 1;
    if (variant.passLeft > 0) this.#ready.add(variant);
    const isLast = variant.passLeft === 0;
    const { members, cursor } = shard ?? { members: 0, cursor: variant.feed.ring.next };
    const behind = variant.feed.ring.next - cursor;
    if (behind === 0) return { variant, shard: undefined, members, isLast };
    variant.passItems = Math.max(variant.passItems, behind);
    variant.passMembers += members;
    this.#workMs += members * this.#memberCost.ms;
    return { variant, shard, members, isLast };
  }

  #endPass(variant: Variant, nowMs: number): void {
    const head = variant.feed.ring.next;
    const ownMs = variant.passMembers * this.#memberCost.ms;
    const { atMs, workMs } = variant.lastEnd ?? { atMs: Number.NEGATIVE_INFINITY, workMs: 0 };
    const shared = sharedWorkMs(ownMs, this.#workMs - workMs, nowMs - atMs);
    variant.lastEnd = { atMs: nowMs, workMs: this.#workMs };
    variant.restUntilMs = nowMs + restAfterPassMs(shared, variant.passItems, this.#options.restMaxMs);
    if (variant.shards.some((other) => other.cursor < head)) this.#want(variant, nowMs);
  }

  #want(variant: Variant, nowMs: number): void {
    if (variant.passLeft > 0 || variant.waiting || variant.shards.length === 0) return;
    const { intervalMs } = variant;
    // A rate class may send at once when its last pass is long ago; a flush interval always lets a batch gather.
    const intervalDueAtMs = variant.options.rateHz === undefined ? nowMs + intervalMs : variant.passStartedAtMs + intervalMs;
    const dueAtMs = Math.max(intervalDueAtMs, variant.restUntilMs);
    if (dueAtMs <= nowMs) {
      this.#startPass(variant, nowMs);
    } else {
      variant.waiting = true;
      this.#waiting.add(dueAtMs, variant);
    }
  }

  #startPass(variant: Variant, nowMs: number): void {
    variant.passStartedAtMs = nowMs;
    variant.passItems = 0;
    variant.passMembers = 0;
    variant.passLeft = variant.shards.length;
    if (variant.passLeft > 0) this.#ready.add(variant);
  }

  #flush(variant: Variant, shard: Shard, nowMs: number, tick: number): void {
    const { ring, withoutEcho } = variant.feed;
    const conflating = variant.options.rateHz !== undefined;
    if (shard.cursor < ring.first && !conflating) this.#sink.skipped(variant, shard, ring.first - shard.cursor);
    const oldest = ring.at(Math.max(shard.cursor, ring.first));
    const { sent, parts } = withoutEcho.size === 0 ? this.#shared(variant, shard, nowMs) : this.#byEcho(variant, shard, nowMs);
    // Before they leave: native publish reports what a socket drops of a large frame while it is called.
    shard.advance(ring.next, ring.headOffset, tick, sent);
    for (const part of parts) this.#publish(variant, shard, part);
    this.#sink.flushed(shard, { ...sent, oldestPublishedAtMs: oldest.publishedAtMs });
  }

  /** The frames that every shard of the variant at the same cursor gets in this turn. */
  #shared(variant: Variant, shard: Shard, nowMs: number): Made {
    const { ring } = variant.feed;
    let { made } = variant;
    if (made === undefined || made.from !== shard.cursor || made.to !== ring.next) {
      const { stretch } = this.#stretch(variant, shard);
      const frames = this.#frames(variant, stretch, nowMs);
      made = { from: shard.cursor, to: ring.next, parts: [{ frames }], sent: sentOf(frames, stretch.items.length) };
      variant.made = made;
      this.#madeThisTurn.push(variant);
    }
    return made;
  }

  /** The same where members of the shard may want nothing of what they published themselves. */
  #byEcho(variant: Variant, shard: Shard, nowMs: number): Made {
    const { withoutEcho } = variant.feed;
    const { items, stretch } = this.#stretch(variant, shard);
    const parts = splitByEcho(items, stretch, (id) => withoutEcho.get(id) === shard).map(({ stretch: part, except, own }): Part => {
      const frames = this.#frames(variant, part, nowMs);
      return except === undefined || own === undefined ? { frames } : { frames, except, own: this.#frames(variant, own, nowMs) };
    });
    return {
      parts,
      sent: sentOf(
        parts.flatMap(({ frames }) => frames),
        items.length,
      ),
    };
  }

  #publish(variant: Variant, { nativeTopic }: Shard, { frames, except, own = [] }: Part): void {
    const binary = variant.options.encoding === 'msgpack';
    if (except === undefined) {
      for (const frame of frames) this.#sink.publish(nativeTopic, frame, binary);
      return;
    }
    for (const frame of frames) this.#sink.publishExcept(nativeTopic, frame, binary, except);
    for (const frame of own) this.#sink.sendTo(except, frame, binary);
  }

  #frames({ feed, options }: Variant, stretch: Stretch, nowMs: number): Uint8Array[] {
    return buildFrames(feed, options, stretch, nowMs, this.#options.frameBytesMax);
  }

  /**
   * What the shard has not had. Every item, and then `prev` is the first one's own, so that a hole in the ring shows; or, in a rate class, the latest of
   * every key that changed: such a batch covers the stretch whole, so `prev` is where the shard stood.
   */
  #stretch({ feed, options }: Variant, shard: Shard): { items: readonly FanoutItem[]; stretch: Stretch } {
    const { ring, latest } = feed;
    if (options.rateHz === undefined) {
      const items = ring.slice(shard.cursor, ring.next);
      return { items, stretch: { items, prev: items[0]?.prev ?? shard.offset, conflated: 0 } };
    }
    const items = latest.between(shard.cursor, ring.next);
    return { items, stretch: { items, prev: shard.offset, conflated: ring.next - shard.cursor - items.length } };
  }
}

function sentOf(frames: readonly Uint8Array[], items: number): Sent {
  let bytes = 0;
  for (const frame of frames) bytes += frame.length;
  return { frames: frames.length, bytes, items };
}
