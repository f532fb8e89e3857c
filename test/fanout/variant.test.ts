import { describe, expect, it } from 'vitest';
import { Groups } from '../../src/fanout/group.ts';
import { rateClassFor } from '../../src/fanout/rate-class.ts';
import { Shard } from '../../src/fanout/shard.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { type Variant, variantName } from '../../src/fanout/variant.ts';
import { feed, groupOf, JSON_VARIANT, join, joinMany, MSGPACK, source } from '../support/fanout-fixtures.ts';

function variantOf(topicFeed: TopicFeed): Variant {
  return topicFeed.variants[0] as Variant;
}

const shardAt = (cursor: number, offset: number) => new Shard(joined(1).variant, groupOf(), cursor, offset);

/** Members of each shard. */
const sizes = (variant: Variant) => variant.shards.map(({ members }) => members);

function joined(count: number, groupConnectionsMax = 4) {
  const topicFeed = feed();
  const groups = new Groups(groupConnectionsMax);
  const places = joinMany(topicFeed, count, { groups });
  return { topicFeed, places, groups, variant: variantOf(topicFeed) };
}

describe('Groups', () => {
  it('fills groups to their bound before it makes another', () => {
    expect(sizes(joined(10).variant)).toEqual([4, 4, 2]);
  });

  it('fills groups that have room again', () => {
    const { topicFeed, places, groups, variant } = joined(8);
    const [left] = places;
    topicFeed.leave(left!.variant, left!.shard, left!.recipient);
    groups.leave(left!.recipient.group);
    expect(sizes(variant)).toEqual([3, 4]);
    joinMany(topicFeed, 2, { groups });
    expect(sizes(variant)).toEqual([4, 4, 1]);
  });

  it('keeps connections of another form apart', () => {
    const groups = new Groups(100);
    const forms = [MSGPACK, JSON_VARIANT, { ...MSGPACK, deflate: true }];
    const first = forms.map((form) => groups.enter(form));
    expect(new Set(first).size).toBe(3);
    expect(forms.map((form) => groups.enter(form))).toEqual(first);
  });

  it('never assigns a number twice, also after a group has ended', () => {
    const groups = new Groups(1);
    const numbers = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const group = groups.enter(MSGPACK);
      numbers.add(group.number);
      groups.leave(group);
    }
    expect(numbers.size).toBe(5);
  });
});

describe('Variant', () => {
  it('has one shard of all groups until it is divided; then one for each, at the position where they were', () => {
    const topicFeed = feed();
    const groups = new Groups(3);
    const members = Array.from({ length: 9 }, () => join(topicFeed, MSGPACK, groups.enter(MSGPACK)));
    const variant = variantOf(topicFeed);
    expect(variant.shards).toEqual([members[0]!.shard]);
    const [direct] = variant.shards as [Shard];
    expect([direct.group, direct.members]).toEqual([undefined, 9]);
    topicFeed.push(source(1));
    topicFeed.push(source(2));
    direct.advance(1, 1, 4);
    join(topicFeed, MSGPACK, members[0]!.recipient.group, 2);
    variant.divide();
    expect(variant.shards.map(({ cursor, offset, members: count }) => [cursor, offset, count])).toEqual([
      [1, 1, 3],
      [1, 1, 3],
      [1, 1, 3],
      [2, 2, 1],
    ]);
    expect(variant.extraShards).toBe(1);
    expect(topicFeed.members).toBe(10);
    for (const { recipient } of members) {
      expect(variant.shards.filter(({ recipients }) => recipients.includes(recipient)).map(({ group }) => group)).toEqual([
        recipient.group,
      ]);
    }
    // A new member joins that of its group.
    const { shard, recipient } = join(topicFeed, MSGPACK, members[4]!.recipient.group);
    expect([shard.group, shard.members]).toEqual([recipient.group, 4]);
  });

  it('has one shard for the connections of a group', () => {
    const { variant } = joined(9, 3);
    expect(new Set(variant.shards.map(({ group }) => group)).size).toBe(3);
    expect(variant.extraShards).toBe(0);
  });

  it('names native topics as no other of the topic is or was named', () => {
    const { topicFeed, variant } = joined(9, 3);
    const other = join(topicFeed, JSON_VARIANT).variant;
    const names = [variant, variant, other, variant, other].map((one) => one.newNativeTopic());
    expect(new Set(names).size).toBe(names.length);
  });

  it('vanishes with its last member', () => {
    const topicFeed = feed();
    const a = join(topicFeed);
    const b = join(topicFeed, JSON_VARIANT);
    expect(topicFeed.variants).toHaveLength(2);
    topicFeed.leave(a.variant, a.shard, a.recipient);
    expect(topicFeed.variants.map(({ options }) => options)).toEqual([JSON_VARIANT]);
    topicFeed.leave(b.variant, b.shard, b.recipient);
    expect(topicFeed.variants).toHaveLength(0);
    expect(topicFeed.isUnused).toBe(true);
  });

  it('puts a member that is ahead of its group into a separate shard at the head', () => {
    const { topicFeed, places, variant } = joined(2);
    const { group } = places[0]!.recipient;
    topicFeed.push(source(1));
    topicFeed.push(source(2));
    expect(join(topicFeed, MSGPACK, group, 0).shard).toBe(variant.shards[0]);
    const { shard, recipient } = join(topicFeed, MSGPACK, group, 1);
    expect(shard).toMatchObject({ cursor: 2, offset: 2, group });
    expect([variant.shards.length, variant.extraShards]).toEqual([2, 1]);
    topicFeed.leave(variant, shard, recipient);
    expect([variant.shards.length, variant.extraShards]).toEqual([1, 0]);
  });

  it('is identified by what its members get, so that members with the same options share it', () => {
    const names = [
      MSGPACK,
      JSON_VARIANT,
      { ...MSGPACK, deflate: true },
      { ...MSGPACK, rateHz: 2 },
      { ...MSGPACK, rateHz: 20 },
      { ...MSGPACK, deflate: true, rateHz: 2 },
      { ...JSON_VARIANT, rateHz: 0.5 },
    ].map(variantName);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('merging', () => {
  it("merges a group's second shard into its first when both are at the same position", () => {
    const { topicFeed, places, variant } = joined(3, 10);
    const { group } = places[0]!.recipient;
    topicFeed.push(source(1));
    const { recipient } = join(topicFeed, MSGPACK, group, 1);
    expect(variant.shards.map(({ cursor }) => cursor)).toEqual([0, 1]);
    expect(variant.mergeable()).toBeUndefined();
    const [first, second] = variant.shards as [Shard, Shard];
    first.advance(1, 1, 1);
    expect(variant.mergeable()).toEqual({ from: second, into: first });
    variant.move(recipient, second, first);
    expect(sizes(variant)).toEqual([4]);
    expect(topicFeed.members).toBe(4);
    expect(variant.mergeable()).toBeUndefined();
  });

  it('never joins shards of two groups', () => {
    const { variant } = joined(8);
    expect(variant.shards).toHaveLength(2);
    expect(variant.mergeable()).toBeUndefined();
  });

  it('keeps the record of a drop in the same loop turn for moved members', () => {
    const shard = (cursor: number, tick: number, before: number) => {
      const made = shardAt(before, before);
      made.advance(cursor, cursor, tick);
      return made;
    };
    // Flushed in this turn, into one that was flushed before it.
    const into = shard(9, 4, 8);
    into.absorb(shard(9, 5, 6));
    expect(into.positionOfDropped(5)).toEqual({ sequence: 6, offset: 6 });
    // And the other way round: nothing of what `into` says is lost.
    const later = shard(9, 5, 6);
    later.absorb(shard(9, 4, 2));
    expect(later.positionOfDropped(5)).toEqual({ sequence: 6, offset: 6 });
    // Both in one turn: from the one that was further behind.
    const both = shard(9, 5, 7);
    both.absorb(shard(9, 5, 3));
    expect(both.positionOfDropped(5)).toEqual({ sequence: 3, offset: 3 });
  });
});

describe('Shard', () => {
  it('goes back to before the turn when something of the turn was dropped, however often it was flushed in it', () => {
    const shard = shardAt(10, 100);
    shard.advance(12, 120, 1);
    shard.advance(15, 150, 1);
    expect(shard.positionOfDropped(1)).toEqual({ sequence: 10, offset: 100 });
    expect(shard.positionOfDropped(2)).toEqual({ sequence: 15, offset: 150 });
    shard.reset(0, 500);
    expect(shard.positionOfDropped(1)).toEqual({ sequence: 0, offset: 500 });
  });
});

describe('rate classes', () => {
  it.each([
    [0.01, 0.1],
    [0.1, 0.1],
    [0.3, 0.2],
    [0.5, 0.5],
    [0.99, 0.5],
    [1, 1],
    [4.9, 2],
    [5, 5],
    [20, 20],
    [99, 50],
    [1000, 100],
  ])('asked for %d a second, %d is granted', (asked, granted) => {
    expect(rateClassFor(asked)).toBe(granted);
  });
});
