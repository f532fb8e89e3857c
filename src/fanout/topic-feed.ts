import type { NamespaceOptions } from '../config/schema.ts';
import type { Topic } from '../protocol/topic.ts';
import type { RecentBudget } from '../recent/budget.ts';
import type { Latest } from '../recent/latest.ts';
import type { PastLife } from '../recent/lives.ts';
import type { Position } from '../recent/position.ts';
import { Ring } from '../recent/ring.ts';
import { latestFor } from '../recent/state.ts';
import type { Holdings } from '../recent/where.ts';
import type { Group } from './group.ts';
import { FanoutItem, type ItemSource } from './item.ts';
import type { Shard } from './shard.ts';
import { isSameForm, Variant, type VariantOptions } from './variant.ts';

export interface TopicFeedOptions {
  readonly topic: Topic;
  /** Distinguishes it from every other topic of the worker. */
  readonly number: number;
  readonly namespace: NamespaceOptions;
  /** The same object for all of the worker's topics. */
  readonly recent: RecentBudget<FanoutItem>;
}

/** What a topic is when it is opened, or after its history turned out not to be what it was. */
export interface FeedState {
  readonly epoch: string;
  /** Lives whose positions hold in this one too, each up to an offset. Absent: none. */
  readonly before?: readonly PastLife[];
  readonly offset: number;
  /** `items` has the latest item of every key that changed after this offset. */
  readonly completeFrom: number;
  readonly items: readonly ItemSource[];
}

const NOBODY: ReadonlyMap<string, Shard> = new Map();

/** One topic in one worker: its recent items, its state, and who gets which variant of it. Pure: no sockets, no clock. */
export class TopicFeed {
  readonly topic: Topic;
  readonly number: number;
  readonly namespace: NamespaceOptions;
  /** In no order, and few: of very many topics each has one, so a list takes less than a map. */
  variants: readonly Variant[] = [];
  epoch = '';
  before: FeedState['before'];
  /** Counts {@link reset}s: ring sequences mean something within one life only. */
  life = 0;
  #awayReason: string | null = null;
  #members = 0;
  #lagging = 0;
  #joining = 0;
  #withoutEcho: Map<string, Shard> | undefined;
  ring: Ring<FanoutItem>;
  latest: Latest<FanoutItem>;
  readonly #recent: RecentBudget<FanoutItem>;
  /** Ring sequence before which nobody need look whether it is crowded. */
  #notCrowdedBefore = 0;

  constructor({ topic, number, namespace, recent }: TopicFeedOptions, state: FeedState) {
    this.topic = topic;
    this.number = number;
    this.namespace = namespace;
    this.#recent = recent;
    this.ring = this.#newRing(state);
    this.latest = this.#newLatest(state);
    this.reset(state);
  }

  get flushIntervalMs(): number {
    return this.namespace.flushIntervalMs;
  }

  /** Connections in the fast path. */
  get members(): number {
    return this.#members;
  }

  /** Connections that have left the fast path for a while. */
  get lagging(): number {
    return this.#lagging;
  }

  /** Why nothing of the topic comes now, for members; null: it is live. */
  get awayReason(): string | null {
    return this.#awayReason;
  }

  get isUnused(): boolean {
    return this.#members === 0 && this.#lagging === 0 && this.#joining === 0;
  }

  /** Members with `echo: false`, by connection: what each published is left out for it alone. */
  get withoutEcho(): ReadonlyMap<string, Shard> {
    return this.#withoutEcho ?? NOBODY;
  }

  /** What the worker itself can answer for. A topic without keys, or without a log, does not recover by its state. */
  get holdings(): Holdings<FanoutItem> {
    const { ring, latest, namespace } = this;
    return { ring, state: namespace.keyed && namespace.durable ? latest : undefined, headOffset: ring.headOffset };
  }

  get head(): Position {
    return { sequence: this.ring.next, offset: this.ring.headOffset };
  }

  /**
   * Half the ring, or more, has still to be handed to members: much more would push out what some of them have not had. Rate classes do not count, which
   * need only the latest of each key.
   */
  get isCrowded(): boolean {
    const { ring } = this;
    if (ring.next < this.#notCrowdedBefore) return false;
    let cursor = ring.next;
    for (const { options, shards } of this.variants) {
      if (options.rateHz === undefined) for (const shard of shards) cursor = Math.min(cursor, shard.cursor);
    }
    const halfFrom = cursor + ring.capacity / 2;
    // Items may grow larger, and the ring hold fewer of them.
    this.#notCrowdedBefore = Math.min(halfFrom, ring.next + ring.capacity / 16);
    return ring.next >= halfFrom;
  }

  /** Starts anew from a state: for a resync. Shards stand at its head. */
  reset(state: FeedState): void {
    this.epoch = state.epoch;
    this.before = state.before;
    this.life++;
    this.#notCrowdedBefore = 0;
    this.ring.clear();
    this.ring = this.#newRing(state);
    this.latest = this.#newLatest(state);
    for (const source of state.items) this.latest.set(new FanoutItem(source, 0), -1);
    for (const variant of this.variants) {
      variant.made = undefined;
      for (const shard of variant.shards) shard.reset(0, state.offset);
    }
  }

  /** The feed is not used any more: what it holds of the worker's budget is given back. */
  close(): void {
    this.ring.clear();
  }

  push(source: ItemSource, prev: number): FanoutItem {
    const item = new FanoutItem(source, prev);
    this.latest.set(item, this.ring.next);
    this.ring.push(item);
    return item;
  }

  /**
   * Counts a member into the variant that it wants. It gets what comes after the shard's {@link Shard.offset}.
   * @param group its connection's, of the same form as `options`
   * @param minCursor ring sequence up to which the member has everything already
   */
  join(options: VariantOptions, group: Group, minCursor = 0): { variant: Variant; shard: Shard } {
    let variant = this.#variantOf(options);
    if (variant === undefined) {
      variant = new Variant(this, options);
      this.variants = this.variants.concat(variant);
    }
    this.#members++;
    return { variant, shard: variant.join(group, minCursor) };
  }

  leave(variant: Variant, shard: Shard): void {
    this.#members--;
    variant.leave(shard);
    if (variant.shards.length === 0) this.variants = this.variants.filter((other) => other !== variant);
  }

  /** So many connections are on their way in: their history is still being read, say. The feed stays for them. */
  reserve(connections = 1): void {
    this.#joining += connections;
  }

  /** One of them has come in, or has given up. */
  endReservation(): void {
    this.#joining--;
  }

  /** A connection is being caught up, or is given what its stream starts with: the feed stays for it. */
  enterLagging(): void {
    this.#lagging++;
  }

  leaveLagging(): void {
    this.#lagging--;
  }

  /** @param awayReason null: it is live again */
  setStatus(awayReason: string | null): void {
    this.#awayReason = awayReason;
  }

  setWithoutEcho(connectionId: string, shard: Shard): void {
    this.#withoutEcho ??= new Map();
    this.#withoutEcho.set(connectionId, shard);
  }

  endWithoutEcho(connectionId: string): void {
    this.#withoutEcho?.delete(connectionId);
    if (this.#withoutEcho?.size === 0) this.#withoutEcho = undefined;
  }

  /** Where a member would stand that {@link join}s now: it gets what comes after that. */
  placeOf(options: VariantOptions, group: Group, minCursor = 0): Position {
    const shard = this.#variantOf(options)?.shardOf(group, minCursor);
    return shard === undefined ? this.head : { sequence: shard.cursor, offset: shard.offset };
  }

  #variantOf(options: VariantOptions): Variant | undefined {
    return this.variants.find((variant) => isSameForm(variant.options, options));
  }

  #newRing({ offset }: FeedState): Ring<FanoutItem> {
    return new Ring(this.#recent, offset);
  }

  #newLatest({ completeFrom }: FeedState): Latest<FanoutItem> {
    return latestFor(this.namespace.keyed ? 'byKey' : 'item', this.#recent, completeFrom);
  }
}
