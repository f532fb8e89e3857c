import { describe, expect, it } from 'vitest';
import { rateClassFor } from '../../src/fanout/rate-class.ts';
import { Shard } from '../../src/fanout/shard.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { type Variant, variantName } from '../../src/fanout/variant.ts';
import { feed, JSON_VARIANT, MSGPACK, source } from '../support/fanout.ts';

function variantOf(topicFeed: TopicFeed): Variant {
  return [...topicFeed.variants.values()][0] as Variant;
}

/** Members of each shard. */
const sizes = (variant: Variant) => variant.shards.map(({ members }) => members);

function joined(count: number, options: Parameters<typeof feed>[0] = {}) {
  const topicFeed = feed(options);
  const places = Array.from({ length: count }, () => topicFeed.join(MSGPACK));
  return { topicFeed, places, variant: variantOf(topicFeed) };
}

describe('Variant', () => {
  it('fills shards to their bound before it makes another', () => {
    const { variant } = joined(10, { shardMembersMax: 4 });
    expect(sizes(variant)).toEqual([4, 4, 2]);
  });

  it('fills what has room again', () => {
    const { topicFeed, places, variant } = joined(8, { shardMembersMax: 4 });
    topicFeed.leave(places[1]!.variant, places[1]!.shard);
    expect(sizes(variant)).toEqual([3, 4]);
    topicFeed.join(MSGPACK);
    expect(sizes(variant)).toEqual([4, 4]);
    topicFeed.join(MSGPACK);
    expect(sizes(variant)).toEqual([4, 4, 1]);
  });

  it('has native topics that no other shard has or had', () => {
    const { topicFeed, places } = joined(9, { shardMembersMax: 3 });
    topicFeed.join(JSON_VARIANT);
    const first = new Set([...topicFeed.variants.values()].flatMap(({ shards }) => shards.map(({ nativeTopic }) => nativeTopic)));
    expect(first.size).toBe(4);
    for (const { variant, shard } of places.slice(0, 6)) topicFeed.leave(variant, shard);
    for (let i = 0; i < 6; i++) expect(first.has(topicFeed.join(MSGPACK).shard.nativeTopic)).toBe(false);
  });

  it('vanishes with its last member', () => {
    const topicFeed = feed();
    const a = topicFeed.join(MSGPACK);
    const b = topicFeed.join(JSON_VARIANT);
    expect(topicFeed.variants.size).toBe(2);
    topicFeed.leave(a.variant, a.shard);
    expect([...topicFeed.variants.keys()]).toEqual(['j']);
    topicFeed.leave(b.variant, b.shard);
    expect(topicFeed.variants.size).toBe(0);
    expect(topicFeed.isUnused).toBe(true);
  });

  it('puts one that has more than a shard into one at the head', () => {
    const { topicFeed, variant } = joined(2);
    topicFeed.push(source(1), 0);
    topicFeed.push(source(2), 1);
    expect(topicFeed.join(MSGPACK, 0).shard).toBe(variant.shards[0]);
    const ahead = topicFeed.join(MSGPACK, 1).shard;
    expect(ahead).toMatchObject({ cursor: 2, offset: 2 });
    expect(variant.shards).toHaveLength(2);
  });

  it('visits every shard once a round', () => {
    const { variant } = joined(12, { shardMembersMax: 3 });
    expect(new Set([1, 2, 3, 4].map(() => variant.nextShard())).size).toBe(4);
  });

  it('is named by what its members get, so that those who get the same share it', () => {
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
  it('joins the two smallest shards where they fit three quarters of one', () => {
    const { topicFeed, places, variant } = joined(20, { shardMembersMax: 10 });
    const leave = (count: number, shard: Shard) => {
      for (const place of places.filter((one) => one.shard === shard).slice(0, count)) topicFeed.leave(place.variant, shard);
    };
    const [a, b] = variant.shards as [Shard, Shard];
    leave(6, a);
    leave(6, b);
    expect(variant.mergeable()).toBeUndefined();
    topicFeed.leave(variant, a);
    const pair = variant.mergeable()!;
    expect(pair).toEqual({ from: a, into: b });
    while (a.members > 0) variant.move(a, b);
    expect(sizes(variant)).toEqual([7]);
    expect(topicFeed.members).toBe(7);
    expect(variant.mergeable()).toBeUndefined();
  });

  it('waits until they stand at the same cursor', () => {
    const { topicFeed, variant } = joined(2, { shardMembersMax: 10 });
    topicFeed.push(source(1), 0);
    topicFeed.join(MSGPACK, 1);
    expect(variant.shards.map(({ cursor }) => cursor)).toEqual([0, 1]);
    expect(variant.mergeable()).toBeUndefined();
    variant.shards[0]!.advance(1, 1, 1);
    expect(variant.mergeable()).toBeDefined();
  });

  it('keeps what a drop in the same loop turn means to those who moved', () => {
    const shard = (cursor: number, tick: number, before: number) => {
      const made = new Shard('n', before, before);
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
    const shard = new Shard('n', 10, 100);
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
    [0.1, 0.5],
    [0.5, 0.5],
    [0.99, 0.5],
    [1, 1],
    [4.9, 2],
    [5, 5],
    [20, 20],
    [1000, 20],
  ])('asked for %d a second, %d is granted', (asked, granted) => {
    expect(rateClassFor(asked)).toBe(granted);
  });
});
