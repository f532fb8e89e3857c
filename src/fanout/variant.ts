import type { Flush } from './flush.ts';
import type { Group, GroupForm } from './group.ts';
import type { Lane, Timing } from './lane.ts';
import type { Selection } from './selection.ts';
import { type Recipient, Shard } from './shard.ts';
import type { TopicFeed } from './topic-feed.ts';

/** How a variant's members want the topic. Variants exist only while they have members. */
export interface VariantOptions extends GroupForm {
  /** A rate class: the latest item per key, on its own timer. Undefined: every item. */
  readonly rateHz: number | undefined;
  /** With `meta.publishedAtMs` in every item. */
  readonly timestamps: boolean;
  /** Large batches come in numbered parts. */
  readonly parts?: true;
  /** What changed of each value, instead of the value. */
  readonly delta?: true;
  /** A part of the topic. Undefined: all of it. */
  readonly selection?: Selection;
}

/** Without its selection. */
export function variantName({ encoding, deflate, timestamps, parts, delta, rateHz }: VariantOptions): string {
  return `${encoding === 'msgpack' ? 'm' : 'j'}${deflate ? 'z' : ''}${timestamps ? 't' : ''}${parts ? 'p' : ''}${delta ? 'd' : ''}${rateHz ?? ''}`;
}

export function isSameForm(a: VariantOptions, b: VariantOptions): boolean {
  if (a === b) return true;
  return (
    a.encoding === b.encoding &&
    a.deflate === b.deflate &&
    a.rateHz === b.rateHz &&
    a.timestamps === b.timestamps &&
    a.parts === b.parts &&
    a.delta === b.delta &&
    a.selection?.name === b.selection?.name
  );
}

let selectionVariants = 0;

/**
 * One form of a topic's stream, and the shards of its members. Where they are few, it has one direct shard. After {@link divide} it has one for each group with
 * members. There may be second ones, whose members were further ahead than the first. The scheduler's state for it is here too.
 */
export class Variant {
  readonly feed: TopicFeed;
  readonly options: VariantOptions;
  shards: readonly Shard[] = [];
  /** It has a shard for each group. */
  isDivided = false;
  /** Shards that are the second or third of their group. */
  extraShards = 0;
  lane: Lane | undefined;
  /** Waits for its lane's next pass. */
  isListed = false;
  /** Waits for the express, outside the passes. */
  isExpress = false;
  /** What was last created for one of its shards, for others at the same position. */
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

  /** A unique name in this worker for a shard's native topic. */
  newNativeTopic(): string {
    // Of one feed, variants with different selections have the same name otherwise.
    const ofSelection = this.options.selection === undefined ? '' : `s${(selectionVariants++).toString(36)}`;
    return `${this.feed.number.toString(36)}${variantName(this.options)}${ofSelection}.${this.#nextNativeTopic++}`;
  }

  /** Some member has not been sent everything. */
  get isBehind(): boolean {
    const { next } = this.feed.ring;
    return this.shards.some(
      ({ cursor, group, recipients }) => cursor < next || (group === undefined && recipients.some(({ isWaiting }) => isWaiting)),
    );
  }

  /**
   * Adds a member, and returns its shard. @param minCursor what the member already has: a shard that is behind it would repeat items, so then a new one is
   * created at the head
   */
  join(recipient: Recipient, minCursor: number): Shard {
    const { group } = recipient;
    const { ring } = this.feed;
    const shard = this.shardOf(group, minCursor) ?? this.#addShard(this.#homeOf(group), ring.next, ring.headOffset);
    shard.addRecipient(recipient);
    return shard;
  }

  /** The shard that {@link join} would choose for a connection of the group; undefined: a new one. */
  shardOf(group: Group | undefined, minCursor: number): Shard | undefined {
    const home = this.#homeOf(group);
    return this.shards.find((shard) => shard.group === home && shard.cursor >= minCursor);
  }

  leave(shard: Shard, recipient: Recipient): void {
    shard.removeRecipient(recipient);
    if (shard.members === 0) this.#removeShard(shard);
  }

  /** Gives the members of each group a shard of their own, at the position where they are. Nothing may wait for them. */
  divide(): void {
    const divided = this.shards;
    this.isDivided = true;
    this.shards = [];
    this.extraShards = 0;
    for (const from of divided) {
      for (const recipient of from.recipients) {
        const { group } = recipient;
        let shard = this.shards.find((other) => other.group === group && other.cursor === from.cursor);
        shard ??= this.#addShard(group, from.cursor, from.offset);
        shard.absorb(from);
        shard.addRecipient(recipient);
      }
    }
  }

  /** Two shards of one group at the same cursor, so that the members of `from` can be moved without missing or repeating anything. */
  mergeable(): { from: Shard; into: Shard } | undefined {
    if (this.extraShards === 0) return undefined;
    const seen = new Map<Group | undefined, Shard[]>();
    for (const shard of this.shards) {
      const others = seen.get(shard.group);
      const other = others?.find(({ cursor }) => cursor === shard.cursor);
      if (other !== undefined) return shard.members <= other.members ? { from: shard, into: other } : { from: other, into: shard };
      if (others === undefined) seen.set(shard.group, [shard]);
      else others.push(shard);
    }
    return undefined;
  }

  /** Moves a member between two such shards. */
  move(recipient: Recipient, from: Shard, into: Shard): void {
    into.absorb(from);
    into.addRecipient(recipient);
    this.leave(from, recipient);
  }

  #homeOf(group: Group | undefined): Group | undefined {
    return this.isDivided ? group : undefined;
  }

  #addShard(group: Group | undefined, cursor: number, offset: number): Shard {
    if (this.shards.some((other) => other.group === group)) this.extraShards++;
    const shard = new Shard(this, group, cursor, offset);
    // Exactly as long as needed: an array that grows by push allocates 17 places at once.
    this.shards = this.shards.concat(shard);
    // It may be at the head, but what comes before the next pass is for it too.
    if (this.isListed) this.lane?.enlist(shard);
    return shard;
  }

  #removeShard(shard: Shard): void {
    this.shards = this.shards.filter((other) => other !== shard);
    if (this.shards.some((other) => other.group === shard.group)) this.extraShards--;
  }
}
