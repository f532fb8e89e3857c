import type { Flush } from './flush.ts';
import type { Group, GroupForm } from './group.ts';
import type { Lane, Timing } from './lane.ts';
import { Shard } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';

/** How a variant's members want the topic. Variants exist only while they have members. */
export interface VariantOptions extends GroupForm {
  /** A rate class: latest item per key on a timer of its own. Undefined: every item. */
  readonly rateHz: number | undefined;
  /** With `meta.publishedAtMs` in every item. */
  readonly timestamps: boolean;
}

export function variantName({ encoding, deflate, timestamps, rateHz }: VariantOptions): string {
  return `${encoding === 'msgpack' ? 'm' : 'j'}${deflate ? 'z' : ''}${timestamps ? 't' : ''}${rateHz ?? ''}`;
}

export function isSameForm(a: VariantOptions, b: VariantOptions): boolean {
  return a.encoding === b.encoding && a.deflate === b.deflate && a.rateHz === b.rateHz && a.timestamps === b.timestamps;
}

/**
 * One form of a topic's stream, and the shards of those who get it: one for each group with members, and now and then a second one for a group, whose
 * members were further than the first. What the scheduler remembers of it is here too.
 */
export class Variant {
  readonly feed: TopicFeed;
  readonly options: VariantOptions;
  shards: readonly Shard[] = [];
  /** Shards that are the second, or third, of their group. */
  extraShards = 0;
  lane: Lane | undefined;
  /** Waits for its lane's next pass. */
  isListed = false;
  /** Waits for the express, beside the passes. */
  isExpress = false;
  /** What was last made for one of its shards, for others at the same place. */
  made: Flush | undefined;
  #nextNativeTopic = 0;

  constructor(feed: TopicFeed, options: VariantOptions) {
    this.feed = feed;
    this.options = options;
  }

  get timing(): Timing {
    const { rateHz } = this.options;
    return rateHz === undefined ? { intervalMs: this.feed.flushIntervalMs, gathers: true } : { intervalMs: 1000 / rateHz, gathers: false };
  }

  /** A name for a shard's native topic that no other has in this worker. */
  newNativeTopic(): string {
    return `${this.feed.number.toString(36)}${variantName(this.options)}.${this.#nextNativeTopic++}`;
  }

  /** Some shard has not been given everything. */
  get isBehind(): boolean {
    const { next } = this.feed.ring;
    return this.shards.some(({ cursor }) => cursor < next);
  }

  /**
   * Counts a member in, and says which shard it is in.
   * @param minCursor what the member has already: a shard that is not so far would repeat it, so then a new one stands at the head
   */
  join(group: Group, minCursor: number): Shard {
    const shard = this.shardOf(group, minCursor) ?? this.#addShard(group);
    shard.members++;
    return shard;
  }

  /** The group's shard that {@link join} would choose; undefined: a new one. */
  shardOf(group: Group, minCursor: number): Shard | undefined {
    return this.shards.find((shard) => shard.group === group && shard.cursor >= minCursor);
  }

  leave(shard: Shard): void {
    shard.members--;
    if (shard.members === 0) this.#removeShard(shard);
  }

  /** Two shards of one group at the same cursor, so that the members of `from` can move without missing or repeating anything. */
  mergeable(): { from: Shard; into: Shard } | undefined {
    if (this.extraShards === 0) return undefined;
    const seen = new Map<Group, Shard[]>();
    for (const shard of this.shards) {
      const others = seen.get(shard.group);
      const other = others?.find(({ cursor }) => cursor === shard.cursor);
      if (other !== undefined) return shard.members <= other.members ? { from: shard, into: other } : { from: other, into: shard };
      if (others === undefined) seen.set(shard.group, [shard]);
      else others.push(shard);
    }
    return undefined;
  }

  /** Moves one member's count; the caller moves the connection. */
  move(from: Shard, into: Shard): void {
    into.absorb(from);
    into.members++;
    this.leave(from);
  }

  #addShard(group: Group): Shard {
    const { ring } = this.feed;
    if (this.shards.some((other) => other.group === group)) this.extraShards++;
    const shard = new Shard(this, group, ring.next, ring.headOffset);
    // As long as it must be: an array that grows by push takes 17 places at once.
    this.shards = this.shards.concat(shard);
    // It stands at the head, but what comes before the next pass is for it too.
    if (this.isListed) this.lane?.enlist(shard);
    return shard;
  }

  #removeShard(shard: Shard): void {
    this.shards = this.shards.filter((other) => other !== shard);
    if (this.shards.some((other) => other.group === shard.group)) this.extraShards--;
  }
}
