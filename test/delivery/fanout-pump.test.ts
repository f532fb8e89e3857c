import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FanoutPump } from '../../src/delivery/fanout-pump.ts';
import type { FanoutSink } from '../../src/fanout/flush.ts';
import { feed as feedOf, joinMany, source } from '../support/fanout-fixtures.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const SINK: FanoutSink = {
  send: () => undefined,
  publish: () => undefined,
  give: () => undefined,
  isMember: () => false,
  publishExcept: () => undefined,
  sendTo: () => undefined,
  flushed: () => undefined,
  done: () => undefined,
  skipped: () => new Uint8Array(),
};

function setUp(members: number) {
  const events: string[] = [];
  const options = { frameBytesMax: 65_536, lagThresholdBytes: 65_536, loopGapMinMs: 0.1, loopGapMaxMs: 0.2, pacingPeriodMaxMs: 0 };
  const pump = new FanoutPump(options, SINK, {
    beforeTurn: () => events.push('before'),
    afterTurn: () => events.push('turn'),
    afterPass: () => events.push('pass'),
  });
  const feed = feedOf();
  joinMany(feed, members);
  const publish = (offset: number) => {
    feed.push(source(offset));
    pump.wake([feed]);
  };
  return { pump, feed, events, publish };
}

describe('FanoutPump', () => {
  // A pass is cut after some time, which a busy machine would reach.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('tells of a pass that has ended when the loop turn is over, not within it', async () => {
    const { events, publish, pump } = setUp(10);
    publish(1);
    expect(events).toEqual(['before']);
    await turn();
    expect(events).toEqual(['before', 'turn', 'pass']);
    expect(pump.tick).toBe(1);
  });

  it('tells of it once, after the last turn of a pass that takes several', async () => {
    const { events, publish, feed } = setUp(20_000);
    publish(1);
    for (let turns = 0; turns < 1000 && !events.includes('pass'); turns++) await turn();
    expect(events.filter((event) => event === 'turn').length).toBeGreaterThan(1);
    expect(events.filter((event) => event === 'pass')).toHaveLength(1);
    expect(events.at(-1)).toBe('pass');
    expect(feed.isCrowded).toBe(false);
    for (const { shards } of feed.variants) for (const { cursor } of shards) expect(cursor).toBe(1);
  });
});
