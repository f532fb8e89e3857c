import type { NamespaceOptions } from '../config/schema.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { stateOf } from '../protocol/feed-state.ts';
import type { Stale } from '../protocol/messages.ts';
import type { RecentBudget } from '../recent/budget.ts';
import type { Latest } from '../recent/latest.ts';
import type { PastLife } from '../recent/lives.ts';
import type { Position } from '../recent/position.ts';
import { Ring } from '../recent/ring.ts';
import { latestFor } from '../recent/state.ts';
import type { Holdings } from '../recent/where.ts';
import { Deltas } from './delta.ts';
import type { Group } from './group.ts';
import { FanoutItem, type ItemSource } from './item.ts';
import { OpenSelections } from './open-selections.ts';
import type { Selection } from './selection.ts';
import type { Recipient, Shard } from './shard.ts';
import { isSameForm, Variant, type VariantOptions } from './variant.ts';

export interface TopicFeedOptions {
  readonly topic: FeedName;
  /** Identifies it among all topics of the worker. */
  readonly number: number;
  readonly namespace: NamespaceOptions;
  /** The same object for all of the worker's topics. */
  readonly recent: RecentBudget<FanoutItem>;
}

/** What a topic is when it is opened, or after a reset. */
export interface FeedState {
  readonly epoch: string;
  /** Earlier epochs whose positions are valid in this one too, each up to an offset. Absent: none. */
  readonly before?: readonly PastLife[];
  readonly offset: number;
  /** `items` has the latest item of every key that changed after this offset. */
  readonly completeFrom: number;
  readonly items: readonly ItemSource[];
  /** The topic's document is not known. */
  readonly unavailable?: true;
  readonly stale?: Stale;
}

const NO_SHARDS: readonly Shard[] = [];
const NOBODY: ReadonlyMap<string, Shard> = new Map();

/** One topic in one worker: its recent items, its state, and the members of each variant. Pure: no sockets, no clock. */
export class TopicFeed {
  readonly topic: FeedName;
  readonly number: number;
  readonly namespace: NamespaceOptions;
  /** For whose share of all topics it counts: one of those who follow it. */
  owner = '';
  /** In no order, and few: there are very many topics with one each, so a list takes less memory than a map. */
  variants: readonly Variant[] = [];
  epoch = '';
  before: FeedState['before'];
  /** Counts calls of {@link reset}: ring sequences are valid only between two of them. */
  life = 0;
  /** When it was opened, or reset. */
  #documentAtStart: 'unavailable' | 'none' | 'there' = 'none';
  #awayReason: string | null = null;
  /** It has not been heard; null: it has. */
  stale: Stale | null = null;
  #members = 0;
  #lagging = 0;
  #joining = 0;
  #withoutEcho: Map<string, Shard> | undefined;
  /** While some members follow what changes. */
  deltas: Deltas | undefined;
  /** Those of its connections, while there are some. */
  selections: OpenSelections | undefined;
  ring: Ring<FanoutItem>;
  latest: Latest<FanoutItem>;
  readonly #recent: RecentBudget<FanoutItem>;
  /** Ring sequence after the last item that is not for its own connection. */
  noEchoUpTo = 0;
  /** Ring sequence before which it need not be checked whether the feed is crowded. */
  #notCrowdedBefore = 0;

  constructor({ topic, number, namespace, recent }: TopicFeedOptions, state: FeedState) {
    this.topic = topic;
    this.number = number;
    this.namespace = namespace;
    this.#recent = recent;
    this.ring = this.#newRing(state);
    this.latest = this.#newLatest(state, this.ring);
    this.reset(state);
  }

  get flushIntervalMs(): number {
    return this.namespace.flushIntervalMs;
  }

  /** Connections in the fast path. */
  get members(): number {
    return this.#members;
  }

  /** Connections that have temporarily left the fast path. */
  get lagging(): number {
    return this.#lagging;
  }

  /** Why the topic is not live, for members; null: it is live. */
  get awayReason(): string | null {
    return this.#awayReason;
  }

  /** The topic's document is not known: there is no state until the next reset. */
  get isUnavailable(): boolean {
    return this.#documentAtStart === 'unavailable';
  }

  /** It had a document when it was opened, or reset. */
  get hadDocument(): boolean {
    return this.#documentAtStart === 'there';
  }

  get isUnused(): boolean {
    return this.#members === 0 && this.#lagging === 0 && this.#joining === 0;
  }

  /** Members with `echo: false`, by connection: its own publications are left out for it. */
  get withoutEcho(): ReadonlyMap<string, Shard> {
    return this.#withoutEcho ?? NOBODY;
  }

  /** What the worker itself can answer. A topic whose state is only its last item, or that has no log, cannot be recovered from its state. */
  get holdings(): Holdings<FanoutItem> {
    const { ring, latest, namespace } = this;
    return { ring, state: namespace.state !== 'last' && namespace.durable ? latest : undefined, headOffset: ring.headOffset };
  }

  get head(): Position {
    return { sequence: this.ring.next, offset: this.ring.headOffset };
  }

  /**
   * Half the ring or more has still to be sent to members: much more would evict what some of them have not received. Rate classes do not count, because they
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
    // Items may get larger, and the ring have room for fewer of them.
    this.#notCrowdedBefore = Math.min(halfFrom, ring.next + ring.capacity / 16);
    return ring.next >= halfFrom;
  }

  /** Rate classes whose members have not been told of a change that is no longer remembered: only the whole state tells them what there is. */
  overtaken(): readonly Shard[] {
    if (this.latest.hasForgotten === undefined) return NO_SHARDS;
    const classes = this.variants.filter(({ options }) => options.rateHz !== undefined);
    return classes.flatMap(({ shards }) => shards.filter(({ cursor, offset }) => this.hasForgotten({ sequence: cursor, offset })));
  }

  /** Who is at this position cannot be told any more, by the state, all that has changed since. Ephemeral topics do not promise it. */
  hasForgotten(position: Position): boolean {
    return this.namespace.durable && this.latest.hasForgotten?.(position) === true;
  }

  /** Starts again from a state, after a reset of the log. Shards continue at its head. */
  reset(state: FeedState): void {
    this.epoch = state.epoch;
    this.before = state.before;
    this.life++;
    this.#notCrowdedBefore = 0;
    this.noEchoUpTo = 0;
    this.ring.clear();
    this.ring = this.#newRing(state);
    this.latest = this.#newLatest(state, this.ring);
    const last = state.items.at(-1);
    this.#documentAtStart = state.unavailable === true ? 'unavailable' : last === undefined || last.removed ? 'none' : 'there';
    // It knows places in the ring.
    if (this.deltas !== undefined) this.deltas = new Deltas();
    this.stale = state.stale ?? null;
    for (const source of state.items) this.latest.set(new FanoutItem(source), -1);
    for (const variant of this.variants) {
      variant.made = undefined;
      for (const shard of variant.shards) shard.reset(0, state.offset);
    }
  }

  /** The feed is not used any more: its share of the worker's budget is returned. */
  close(): void {
    this.ring.clear();
  }

  push(source: ItemSource): FanoutItem {
    const item = new FanoutItem(source);
    this.add(item);
    return item;
  }

  /** Its next item. */
  add(item: FanoutItem): void {
    const before = item.volatile ? undefined : this.latest.set(item, this.ring.next);
    if (this.deltas !== undefined) item.delta = this.deltas.of(before, item);
    this.ring.push(item);
    if (item.noEcho) this.noEchoUpTo = this.ring.next;
  }

  /**
   * Adds a member to the variant that it wants. It gets what comes after the shard's {@link Shard.offset}.
   * @param recipient its group has the same form as `options`
   * @param minCursor ring sequence up to which the member already has everything
   */
  join(options: VariantOptions, recipient: Recipient, minCursor = 0): { variant: Variant; shard: Shard } {
    let variant = this.#variantOf(options);
    if (variant === undefined) {
      variant = new Variant(this, options);
      this.variants = this.variants.concat(variant);
      // What was published before is not for its members.
      if (options.delta) this.deltas ??= new Deltas();
    }
    this.#members++;
    if (options.selection !== undefined) this.#addSelection(options.selection, recipient.owner);
    return { variant, shard: variant.join(recipient, minCursor) };
  }

  leave(variant: Variant, shard: Shard, recipient: Recipient): void {
    this.#members--;
    variant.leave(shard, recipient);
    if (variant.shards.length === 0) this.#removeVariant(variant);
    this.#removeSelection(variant.options.selection, recipient.owner);
  }

  #removeVariant(variant: Variant): void {
    this.variants = this.variants.filter((other) => other !== variant);
    if (!this.variants.some(({ options }) => options.delta)) this.deltas = undefined;
  }

  /** Number of connections that are joining, for example while their history is read. The feed stays for them. */
  reserve(connections = 1): void {
    this.#joining += connections;
  }

  /** One of them has joined, or has given up. */
  endReservation(): void {
    this.#joining--;
  }

  /** A connection is catching up, or gets its initial items: the feed stays for it. */
  enterLagging(selection: Selection | undefined, owner: string): void {
    this.#lagging++;
    if (selection !== undefined) this.#addSelection(selection, owner);
  }

  leaveLagging(selection: Selection | undefined, owner: string): void {
    this.#lagging--;
    this.#removeSelection(selection, owner);
  }

  /** Of one of its members. @param selection only of those that select this */
  anyOwner(selection?: Selection): string | undefined {
    const variant =
      selection === undefined ? this.variants[0] : this.variants.find(({ options }) => options.selection?.name === selection.name);
    return variant?.shards[0]?.recipients[0]?.owner;
  }

  #addSelection(selection: Selection, owner: string): void {
    this.selections ??= new OpenSelections();
    this.selections.add(selection, owner);
  }

  #removeSelection(selection: Selection | undefined, owner: string): void {
    if (selection === undefined) return;
    this.selections?.remove(selection, owner, () => this.anyOwner(selection));
    if (this.selections?.size === 0) this.selections = undefined;
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

  /** The position of a member that {@link join}s now: it gets what comes after that. */
  placeOf(options: VariantOptions, group: Group, minCursor = 0): Position {
    const shard = this.shardOf(options, group, minCursor);
    return shard === undefined ? this.head : { sequence: shard.cursor, offset: shard.offset };
  }

  /** The shard that it joins; undefined: a new one. */
  shardOf(options: VariantOptions, group: Group | undefined, minCursor: number): Shard | undefined {
    return this.#variantOf(options)?.shardOf(group, minCursor);
  }

  #variantOf(options: VariantOptions): Variant | undefined {
    return this.variants.find((variant) => isSameForm(variant.options, options));
  }

  #newRing({ offset }: FeedState): Ring<FanoutItem> {
    return new Ring(this.#recent, offset);
  }

  #newLatest({ completeFrom }: FeedState, ring: Ring<FanoutItem>): Latest<FanoutItem> {
    return latestFor(stateOf(this.topic, this.namespace), this.#recent, completeFrom, ring);
  }
}
