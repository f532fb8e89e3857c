import { type Group, Groups } from '../fanout/group.ts';
import { NATIVE_MEMBERS_MIN, type Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import { isSameForm, type Variant } from '../fanout/variant.ts';
import type { Position } from '../recent/position.ts';
import type { Receiver } from './receiver.ts';
import type { MembershipOptions } from './subscription.ts';

/** The shard's current members. The fan-out keeps them, and knows only the ids of connections. */
export function membersOf(shard: Shard): readonly Receiver[] {
  return shard.recipients as readonly Receiver[];
}

/** Assigns connections to groups and shards, and keeps the fan-out's counts and uWS's native topics consistent. */
export class Memberships {
  readonly #groups: Groups;
  readonly #nativeMembersMin: number;
  /** Feeds in which some group has more than one shard, or recently had. */
  readonly #split = new Set<Variant>();

  /**
   * @param groupConnectionsMax maximum number of connections in a group
   * @param nativeMembersMin a shard with fewer members has no native topic
   */
  constructor(groupConnectionsMax: number, nativeMembersMin = NATIVE_MEMBERS_MIN) {
    this.#groups = new Groups(groupConnectionsMax);
    this.#nativeMembersMin = nativeMembersMin;
  }

  /**
   * Adds the connection to the variant. It gets what comes after the shard's offset, once {@link listen} has been called. @param minCursor ring sequence up to
   * which it has everything
   */
  enter(receiver: Receiver, feed: TopicFeed, options: MembershipOptions, minCursor: number): Shard {
    this.#groupOf(receiver, options);
    const { variant, shard } = feed.join(options.variant, receiver, minCursor);
    receiver.subscriptions.set(feed.topic, shard);
    if (variant.extraShards > 0) this.#split.add(variant);
    if (!options.echo) feed.setWithoutEcho(receiver.id, shard);
    return shard;
  }

  /** Where the connection would be if it joined now: it gets what comes after that. */
  placeOf(receiver: Receiver, feed: TopicFeed, options: MembershipOptions, minCursor: number): Position {
    return feed.placeOf(options.variant, this.#groupOf(receiver, options), minCursor);
  }

  /** The connection has closed. */
  gone(receiver: Receiver): void {
    if (receiver.group !== undefined) this.#groups.leave(receiver.group);
    receiver.group = undefined;
  }

  /** A connection stays in its group for its lifetime: its encoding, and whether it accepts compressed frames, are fixed before its first topic. */
  #groupOf(receiver: Receiver, { variant }: MembershipOptions): Group {
    receiver.group ??= this.#groups.enter(variant, receiver.socket.isNative);
    return receiver.group;
  }

  /** From here on native publish reaches the connection, so everything that it must get before has to be sent already. */
  listen(receiver: Receiver, shard: Shard): void {
    if (shard.nativeTopic !== undefined) receiver.socket.join(shard.nativeTopic);
    else if (shard.group !== undefined) this.#makeNativeIfLarge(shard);
    else if (shard.members >= this.#nativeMembersMin * this.#groups.countLike(receiver.group as Group)) this.#divide(shard.variant);
  }

  /** So that groups have enough members of the topic for native topics. */
  #divide(variant: Variant): void {
    for (const shard of variant.shards) for (const receiver of membersOf(shard)) receiver.sendFrames();
    variant.divide();
    for (const shard of variant.shards) {
      for (const receiver of membersOf(shard)) moved(receiver, shard);
      this.#makeNativeIfLarge(shard);
    }
  }

  #makeNativeIfLarge(shard: Shard): void {
    if (shard.group?.isNative && shard.members >= this.#nativeMembersMin) this.#makeNative(shard);
  }

  /** While it has members. */
  #makeNative(shard: Shard): void {
    if (shard.nativeTopic !== undefined) return;
    const nativeTopic = shard.variant.newNativeTopic();
    shard.nativeTopic = nativeTopic;
    for (const { socket } of membersOf(shard)) socket.join(nativeTopic);
  }

  /**
   * Moves a connection to another shard of its topic. It listens in the new one before it leaves the old one, because uWS forgets what is queued for a socket
   * that leaves its last native topic. @param between sends the connection what lies between the two, and calls {@link listen}
   */
  change(receiver: Receiver, old: Shard, options: MembershipOptions, between: (shard: Shard) => void): void {
    const { feed, options: form } = old.variant;
    if (isSameForm(options.variant, form)) {
      if (options.echo) feed.endWithoutEcho(receiver.id);
      else feed.setWithoutEcho(receiver.id, old);
      return between(old);
    }
    const shard = this.enter(receiver, feed, options, old.cursor);
    between(shard);
    this.#leaveShard(receiver, old);
    if (options.echo) feed.endWithoutEcho(receiver.id);
  }

  leave(receiver: Receiver, shard: Shard): void {
    this.#leaveShard(receiver, shard);
    shard.variant.feed.endWithoutEcho(receiver.id);
  }

  #leaveShard(receiver: Receiver, shard: Shard): void {
    const { nativeTopic, variant } = shard;
    if (nativeTopic !== undefined) receiver.socket.leave(nativeTopic);
    // What waits for it may be of this topic.
    else receiver.sendFrames();
    variant.feed.leave(variant, shard, receiver);
  }

  /** Merges a group's second shard of a topic into its first, as soon as they are at the same position. */
  merge(): void {
    for (const variant of this.#split) {
      for (let pair = variant.mergeable(); pair !== undefined; pair = variant.mergeable()) this.#move(variant, pair.from, pair.into);
      if (variant.extraShards === 0) this.#split.delete(variant);
    }
  }

  #move(variant: Variant, from: Shard, into: Shard): void {
    // A connection that listens natively may have queued frames, and loses them when it leaves its last native topic.
    if (from.nativeTopic !== undefined) this.#makeNative(into);
    for (const receiver of membersOf(from)) {
      // In this order, because uWS forgets what is queued for a socket that leaves its last native topic.
      if (into.nativeTopic !== undefined) receiver.socket.join(into.nativeTopic);
      if (from.nativeTopic !== undefined) receiver.socket.leave(from.nativeTopic);
      variant.move(receiver, from, into);
      moved(receiver, into);
    }
  }
}

/** It is in that shard of its variant now. */
function moved(receiver: Receiver, shard: Shard): void {
  const { feed } = shard.variant;
  const before = receiver.subscriptions.get(feed.topic);
  if (before?.kind !== 'member' || before.variant !== shard.variant) return;
  receiver.subscriptions.set(feed.topic, shard);
  if (feed.withoutEcho.has(receiver.id)) feed.setWithoutEcho(receiver.id, shard);
}

/** How the connection wanted its topic. */
export function optionsOf({ id }: Receiver, { variant }: Shard): MembershipOptions {
  return { variant: variant.options, echo: !variant.feed.withoutEcho.has(id) };
}
