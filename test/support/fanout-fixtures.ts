import type { NamespaceOptions } from '../../src/config/schema.ts';
import { type Flush, framesFor } from '../../src/fanout/flush.ts';
import { type Group, Groups } from '../../src/fanout/group.ts';
import { FanoutItem, type ItemSource } from '../../src/fanout/item.ts';
import { FANOUT_ITEM_FORM } from '../../src/fanout/item-form.ts';
import type { Pace } from '../../src/fanout/pacing.ts';
import type { Recipient, Shard } from '../../src/fanout/shard.ts';
import { TopicFeed } from '../../src/fanout/topic-feed.ts';
import type { Variant, VariantOptions } from '../../src/fanout/variant.ts';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { type Key, parseTopic } from '../../src/protocol/topic.ts';
import { RecentBudget } from '../../src/recent/budget.ts';
import { namespaceOptions } from './namespace-options.ts';
import { type Limits, WIDE } from './recent-fixtures.ts';

export const EPOCH = 'e1';

export function source(offset: number, more: Partial<ItemSource> & { readonly value?: unknown } = {}): ItemSource {
  const { value = `value ${offset}`, ...rest } = more;
  return { offset, key: null, data: packMsgpack(value), publishedAtMs: 1000 + offset, ...rest };
}

export function item(offset: number, more: Parameters<typeof source>[1] = {}): FanoutItem {
  return new FanoutItem(source(offset, more));
}

export const key = (text: string) => text as Key;

export const MSGPACK: VariantOptions = { encoding: 'msgpack', deflate: false, rateHz: undefined, timestamps: false };
export const JSON_VARIANT: VariantOptions = { encoding: 'json', deflate: false, rateHz: undefined, timestamps: false };

const ownGroups = new Groups(1);

/** A group with no other member. */
export function groupOf(options: VariantOptions = MSGPACK): Group {
  return ownGroups.enter(options);
}

let nextRecipient = 1;

/** A connection that remembers what waits for it. */
export class StubRecipient implements Recipient {
  readonly id = `r${nextRecipient++}`;
  owner = '';
  readonly group: Group;
  #flushes: Flush[] = [];

  constructor(group: Group = groupOf()) {
    this.group = group;
  }

  get isWaiting(): boolean {
    return this.#flushes.length > 0;
  }

  add(flush: Flush): boolean {
    this.#flushes.push(flush);
    return this.#flushes.length === 1;
  }

  /** What waited, in order. */
  take(): Uint8Array[] {
    return this.#flushes.splice(0).flatMap(({ parts }) => parts.flatMap((part) => framesFor(part, this).map(({ bytes }) => bytes)));
  }
}

export interface Joined {
  readonly variant: Variant;
  readonly shard: Shard;
  readonly recipient: StubRecipient;
}

/** A connection of the group follows the topic. */
export function join(topicFeed: TopicFeed, options: VariantOptions = MSGPACK, group: Group = groupOf(options), minCursor = 0): Joined {
  const recipient = new StubRecipient(group);
  return { ...topicFeed.join(options, recipient, minCursor), recipient };
}

/** Divides the variant, and gives all its shards native topics. */
export function makeNative(variant: Variant): void {
  if (!variant.isDivided) variant.divide();
  for (const shard of variant.shards) shard.nativeTopic ??= variant.newNativeTopic();
}

/** Connections that follow the topic, each in a group of at most `groupConnectionsMax`. Each group's are a shard with a native topic. */
export function joinMany(
  topicFeed: TopicFeed,
  count: number,
  { options = MSGPACK, groups = new Groups(250) }: { readonly options?: VariantOptions; readonly groups?: Groups } = {},
): Joined[] {
  const joined = Array.from({ length: count }, () => join(topicFeed, options, groups.enter(options)));
  for (const { variant } of joined.slice(0, 1)) makeNative(variant);
  const shardOf = new Map<Recipient, Shard>();
  for (const { shards } of topicFeed.variants)
    for (const shard of shards) for (const recipient of shard.recipients) shardOf.set(recipient, shard);
  return joined.map(({ variant, recipient }) => ({ variant, recipient, shard: shardOf.get(recipient) as Shard }));
}

let nextNumber = 1;

export interface FeedSettings {
  readonly topic?: string;
  readonly namespace?: NamespaceOptions;
  /** Default: a budget of its own, of these limits. */
  readonly recent?: RecentBudget<FanoutItem>;
  readonly limits?: Limits;
}

export function recentOf(limits: Limits = {}): RecentBudget<FanoutItem> {
  return new RecentBudget(FANOUT_ITEM_FORM, { ...WIDE, ...limits });
}

/** A feed at offset 0 with no items. */
export function feed({
  topic = 'scores.a',
  namespace = namespaceOptions(),
  limits,
  recent = recentOf(limits),
}: FeedSettings = {}): TopicFeed {
  return new TopicFeed(
    { topic: parseTopic(topic), number: nextNumber++, namespace, recent },
    { epoch: EPOCH, offset: 0, completeFrom: 0, items: [] },
  );
}

/** Passes at a fixed interval, independent of the feed. */
export function steadyPace(periodMs: number): Pace {
  return { visited: () => undefined, periodMs: () => periodMs };
}
