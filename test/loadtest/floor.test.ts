import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildChildren } from '../../loadtest/build.ts';
import type { TopicFeed } from '../../loadtest/core/feed.ts';
import { scenarioNamed } from '../../loadtest/scenarios/registry.ts';
import { floor } from '../../loadtest/servers/floor.ts';
import type { ServerUnderTest } from '../../loadtest/servers/server.ts';
import { Swarm } from '../../loadtest/swarm/swarm.ts';
import { nowUs } from '../../src/bench/clock.ts';

const TOPIC = 'bench.big';
const MEMBERS = 20;
const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function floorWithMembers(itemsPerSend: number) {
  const server = await floor.start({ nodes: 1, workers: 0, keyed: false, itemsPerSend });
  ends.push(() => server.stop());
  const subscription = { topic: TOPIC };
  const limits = { sampleEvery: 4, keys: 0, payloadBytes: 100, inFlightMax: 8 };
  const swarm = new Swarm({ count: MEMBERS, port: server.ports[0]!, dialect: server.dialect, subscription, ...limits });
  ends.push(() => swarm.destroy());
  await swarm.connect();
  return { server, swarm };
}

function plan(over: Partial<TopicFeed> = {}) {
  const topic = { topic: TOPIC, ratePerSecond: 1000, burst: 1, keys: 0, firstSequence: 0, ...over };
  return { topics: [topic], startAtUs: nowUs(), durationMs: 101, payloadBytes: 100 };
}

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setImmediate(resolve));
}

const missing = floor.missing();

describe.skipIf(missing !== undefined)('the floor', () => {
  it('sends each member everything, in order, with the requested number of items per send', async () => {
    const { server, swarm } = await floorWithMembers(2.5);
    expect(swarm.ready).toBe(MEMBERS);
    swarm.tally.openWindow(0);
    const { published } = await server.feed(plan());
    expect(published).toEqual({ [TOPIC]: 101 });
    await until(() => swarm.tally.behind(101, 0) === 0);
    // Two and three in turn make 40 frames of 100 items; the last item goes alone.
    expect(swarm.tally).toMatchObject({ delivered: 101 * MEMBERS, frames: 41 * MEMBERS, skipped: 0, repeated: 0 });
    expect(swarm.tally.latency.totalCount).toBe(101 * 5);
  });

  it('continues where the previous window ended, and joins a burst according to the schedule', async () => {
    const { server, swarm } = await floorWithMembers(1);
    swarm.tally.openWindow(0);
    await server.feed(plan());
    await until(() => swarm.tally.behind(101, 0) === 0);
    const { published } = await server.feed(plan({ firstSequence: 101, burst: 20 }));
    expect(published).toEqual({ [TOPIC]: 100 });
    await until(() => swarm.tally.behind(201, 0) === 0);
    expect(swarm.tally).toMatchObject({ delivered: 201 * MEMBERS, frames: 201 * MEMBERS, skipped: 0, repeated: 0 });
  });

  it('continues without a member that has left', async () => {
    const { server, swarm } = await floorWithMembers(300);
    const others = new Swarm({ ...swarm.settings, count: 3 });
    await others.connect();
    others.destroy();
    await until(() => others.closed === 3);
    await server.feed(plan());
    await server.feed(plan({ firstSequence: 101 }));
    await until(() => swarm.tally.behind(202, 0) === 0);
    expect(swarm.tally).toMatchObject({ delivered: 202 * MEMBERS, frames: 2 * MEMBERS, skipped: 0 });
  });

  it('refuses a plan that it cannot carry', async () => {
    const { server } = await floorWithMembers(1);
    await expect(server.feed(plan({ keys: 5 }))).rejects.toThrow('one topic');
    await expect(server.feed(plan({ rotateOver: 5 }))).rejects.toThrow('one topic');
  });
});

describe.skipIf(missing !== undefined)('a scenario of the floor', () => {
  const scenario = scenarioNamed('floor-1000');
  const small = { seconds: 0.2, members: 30, countSends: false, quick: true };

  beforeAll(buildChildren);

  it('lets the floor join as many publications as the server before it in the same pair', async () => {
    const joiner: ServerUnderTest = { ...floor, name: 'joiner', start: (settings) => floor.start({ ...settings, itemsPerSend: 4 }) };
    for (const server of [joiner, floor]) {
      const run = await scenario.run(server, 0, small);
      expect(run).toMatchObject({ server: server.name, invalid: '', deliveries: 200 * 30, extra: { itemsPerFrame: 4 } });
    }
    await expect(scenario.run(floor, 1, small)).rejects.toThrow('no valid run before it in this pair');
  });

  it('can be set on the command line', async () => {
    const run = await scenario.run(floor, 7, { ...small, itemsPerSend: 10 });
    expect(run).toMatchObject({ invalid: '', extra: { itemsPerFrame: 10 } });
  });
});

describe('the floor on a machine without a C compiler', () => {
  it('is said to be missing', () => {
    vi.stubEnv('CC', undefined);
    vi.stubEnv('PATH', '/nowhere');
    expect(floor.missing()).toContain('no C compiler');
    vi.unstubAllEnvs();
  });
});
