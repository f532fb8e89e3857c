import type { Encoding } from '../protocol/codec.ts';
import { type Sent, Shard } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';

/** How a variant's members want the topic. Variants exist only while they have members. */
export interface VariantOptions {
  readonly encoding: Encoding;
  /** Compress once for all members (MessagePack only). */
  readonly deflate: boolean;
  /** A rate class: latest item per key on a timer of its own. Undefined: every item. */
  readonly rateHz: number | undefined;
}

/** Frames for a shard's members. */
export interface Part {
  readonly frames: readonly Uint8Array[];
  /** For all but this connection, which gets `own` instead. */
  readonly except?: string;
  readonly own?: readonly Uint8Array[];
}

/** What one flush gives a shard. */
export interface Made {
  readonly parts: readonly Part[];
  readonly sent: Sent;
}

export function variantName({ encoding, deflate, rateHz }: VariantOptions): string {
  return `${encoding === 'msgpack' ? 'm' : 'j'}${deflate ? 'z' : ''}${rateHz ?? ''}`;
}

/**
 * One form of a topic's stream, and the shards of those who get it. A pass visits every shard once and takes each to the ring's head;
 * what arrives during a pass starts the next one.
 */
export class Variant {
  readonly feed: TopicFeed;
  readonly options: VariantOptions;
  readonly shards: Shard[] = [];
  /** Shards that this pass has still to visit. 0: no pass is under way. */
  passLeft = 0;
  passStartedAtMs = Number.NEGATIVE_INFINITY;
  /** Most items that a shard was given in this pass, and members served in it. */
  passItems = 0;
  passMembers = 0;
  /** When the last pass ended, and what all topics' flushes had cost the loop until then. */
  lastEnd: { readonly atMs: number; readonly workMs: number } | undefined;
  /** No pass before this: the last one joined several items, and the next will join more. */
  restUntilMs = Number.NEGATIVE_INFINITY;
  /** What the last flush made, for the shards at the same cursor behind it in the same turn. */
  made: (Made & { readonly from: number; readonly to: number }) | undefined;
  /** Waits for its due time; neither in a pass nor idle. */
  waiting = false;
  #nextShard = 0;
  #nextShardNumber = 0;
  readonly #withRoom = new Set<Shard>();
  readonly #nativePrefix: string;
  readonly #shardMembersMax: number;

  constructor(feed: TopicFeed, options: VariantOptions, nativePrefix: string, shardMembersMax: number) {
    this.feed = feed;
    this.options = options;
    this.#nativePrefix = nativePrefix;
    this.#shardMembersMax = shardMembersMax;
  }

  /** How long a pass must be after the one before; 0: none. */
  get intervalMs(): number {
    return this.options.rateHz === undefined ? this.feed.flushIntervalMs : 1000 / this.options.rateHz;
  }

  /**
   * Counts a member in, and says which shard it is in.
   * @param minCursor what the member has already: a shard that is not so far would repeat it, so then a new one stands at the head
   */
  join(minCursor: number): Shard {
    const shard = this.roomAt(minCursor) ?? this.#addShard();
    shard.members++;
    if (shard.members >= this.#shardMembersMax) this.#withRoom.delete(shard);
    return shard;
  }

  /** The shard that {@link join} would choose; undefined: a new one. */
  roomAt(minCursor: number): Shard | undefined {
    for (const shard of this.#withRoom) if (shard.cursor >= minCursor) return shard;
    return undefined;
  }

  leave(shard: Shard): void {
    shard.members--;
    if (shard.members > 0) this.#withRoom.add(shard);
    else this.#removeShard(shard);
  }

  /**
   * Two shards that fit one, and stand at the same cursor, so that the members of `from` can move without missing or repeating anything.
   * `from` is the smaller.
   */
  mergeable(): { from: Shard; into: Shard } | undefined {
    if (this.#withRoom.size < 2) return undefined;
    const [first, second] = [...this.#withRoom].sort((a, b) => a.members - b.members) as [Shard, Shard];
    // Three quarters, so that a topic whose size swings around a shard's does not merge and split for ever.
    if (first.cursor !== second.cursor || first.members + second.members > this.#shardMembersMax * 0.75) return undefined;
    return { from: first, into: second };
  }

  /** Moves one member's count; the caller moves the connection. */
  move(from: Shard, into: Shard): void {
    into.absorb(from);
    into.members++;
    if (into.members >= this.#shardMembersMax) this.#withRoom.delete(into);
    this.leave(from);
  }

  /** The next shard of the pass, in rotation. */
  nextShard(): Shard | undefined {
    if (this.shards.length === 0) return undefined;
    this.#nextShard = (this.#nextShard + 1) % this.shards.length;
    return this.shards[this.#nextShard];
  }

  #addShard(): Shard {
    const { ring } = this.feed;
    const shard = new Shard(`${this.#nativePrefix}.${this.#nextShardNumber++}`, ring.next, ring.headOffset);
    this.shards.push(shard);
    this.#withRoom.add(shard);
    return shard;
  }

  #removeShard(shard: Shard): void {
    this.#withRoom.delete(shard);
    const index = this.shards.indexOf(shard);
    const last = this.shards.pop() as Shard;
    if (last !== shard) this.shards[index] = last;
    this.passLeft = Math.min(this.passLeft, this.shards.length);
  }
}
