import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueAtUs, dueCount, keyOf, publicationsIn, type TopicFeed } from '../../loadtest/core/feed.ts';

const feed = (over: Partial<TopicFeed> = {}): TopicFeed => ({
  topic: 'bench.big',
  ratePerSecond: 20,
  burst: 1,
  keys: 0,
  firstSequence: 0,
  ...over,
});

describe('a feed plan', () => {
  it('publishes rate × duration', () => {
    expect(publicationsIn(feed(), 10_000)).toBe(200);
    expect(publicationsIn(feed({ ratePerSecond: 0.25 }), 20_000)).toBe(5);
  });

  it('publishes bursts whole, at one instant each', () => {
    const bursts = feed({ ratePerSecond: 40, burst: 20 });
    expect(publicationsIn(bursts, 10_000)).toBe(400);
    expect(dueAtUs(bursts, 1000, 0)).toBe(1000);
    expect(dueAtUs(bursts, 1000, 19)).toBe(1000);
    expect(dueAtUs(bursts, 1000, 20)).toBe(501_000);
  });

  it('owes nothing before its start and no more than everything after its end', () => {
    expect(dueCount(feed(), 1e6, 10_000, 999_999)).toBe(0);
    expect(dueCount(feed(), 1e6, 10_000, 1e12)).toBe(200);
  });

  it('counts a publication as due from its own time on, never before', () => {
    const rates = fc.record({ ratePerSecond: fc.double({ min: 0.1, max: 5000, noNaN: true }), burst: fc.integer({ min: 1, max: 50 }) });
    fc.assert(
      fc.property(rates, fc.integer({ min: 0, max: 10_000 }), (over, index) => {
        const plan = feed(over);
        fc.pre(index < publicationsIn(plan, 60_000));
        const atUs = dueAtUs(plan, 5e9, index);
        // A millionth of a microsecond either way is the arithmetic's.
        expect(dueCount(plan, 5e9, 60_000, atUs + 0.01)).toBeGreaterThan(index);
        expect(dueCount(plan, 5e9, 60_000, atUs - 0.01)).toBeLessThanOrEqual(index);
      }),
    );
  });

  it('rotates over its keys by sequence, so that the last of each is known', () => {
    expect([0, 1, 100, 101].map((sequence) => keyOf(feed({ keys: 100 }), sequence))).toEqual([0, 1, 0, 1]);
    expect(keyOf(feed(), 17)).toBe(0);
  });
});
