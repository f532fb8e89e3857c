import type { NamespaceOptions } from '../../src/config/schema.ts';
import { type Group, Groups } from '../../src/fanout/group.ts';
import { FANOUT_ITEM_FORM, FanoutItem, type ItemSource } from '../../src/fanout/item.ts';
import type { Pace } from '../../src/fanout/pacing.ts';
import type { Shard } from '../../src/fanout/shard.ts';
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

export function item(offset: number, more: Parameters<typeof source>[1] & { readonly prev?: number } = {}): FanoutItem {
  const { prev = offset - 1, ...rest } = more;
  return new FanoutItem(source(offset, rest), prev);
}

export const key = (text: string) => text as Key;

export const MSGPACK: VariantOptions = { encoding: 'msgpack', deflate: false, rateHz: undefined, timestamps: false };
export const JSON_VARIANT: VariantOptions = { encoding: 'json', deflate: false, rateHz: undefined, timestamps: false };

const ownGroups = new Groups(1);

/** A group with no other member. */
export function groupOf(options: VariantOptions = MSGPACK): Group {
  return ownGroups.enter(options);
}

/** Connections that follow the topic, each in a group of at most `groupConnectionsMax`. */
export function joinMany(
  topicFeed: TopicFeed,
  count: number,
  { options = MSGPACK, groups = new Groups(250) }: { readonly options?: VariantOptions; readonly groups?: Groups } = {},
): { variant: Variant; shard: Shard; group: Group }[] {
  return Array.from({ length: count }, () => {
    const group = groups.enter(options);
    return { ...topicFeed.join(options, group), group };
  });
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
