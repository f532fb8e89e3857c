import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CONSTANTS } from '../../src/bench/plan/default-constants.ts';
import { forecastNats } from '../../src/bench/plan/model.ts';
import {
  NATS_BITS_MAX,
  NATS_CORES_MAX,
  type NatsLayout,
  type NatsWork,
  simulateNats,
  smallestLayout,
} from '../../src/bench/plan/nats-servers.ts';

const COSTS = { natsPublicationUs: 20, natsMessageUs: 5 };
const work = (more: Partial<NatsWork> = {}): NatsWork => ({
  nodes: 12,
  publicationsPerSecond: 100,
  ofNodePerSecond: 100,
  messageBytes: 300,
  durable: true,
  ...more,
});

describe('the simulation of NATS servers', () => {
  it('has one server take each publication once, and send it to each node', () => {
    expect(simulateNats(COSTS, work(), { kind: 'one' })).toEqual([
      { taken: 100, sent: 1200, bitsPerSecond: 8 * 1200 * 300, cores: (100 * 20 + 1200 * 5) / 1e6 },
    ]);
  });

  it('sends each publication once to each mirror, which stores it and serves its nodes', () => {
    const [origin, ...mirrors] = simulateNats(COSTS, work(), { kind: 'mirrors', mirrors: 3 });
    expect(origin).toMatchObject({ taken: 100, sent: 300 });
    expect(mirrors.map(({ taken, sent }) => [taken, sent])).toEqual([
      [100, 400],
      [100, 400],
      [100, 400],
    ]);
  });

  it('sends what is not stored once to each server of a cluster', () => {
    const servers = simulateNats(COSTS, work({ durable: false }), { kind: 'cluster', servers: 3 });
    expect(servers.map(({ taken, sent }) => [taken, sent])).toEqual([
      [100, 400 + 200],
      [100, 400],
      [100, 400],
    ]);
  });

  it('gives every node all that it wants, in every layout', () => {
    const layouts = fc.oneof(
      fc.constant<NatsLayout>({ kind: 'one' }),
      fc.record({ kind: fc.constant('mirrors' as const), mirrors: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ kind: fc.constant('cluster' as const), servers: fc.integer({ min: 1, max: 30 }) }),
    );
    fc.assert(
      fc.property(layouts, fc.integer({ min: 1, max: 500 }), (layout, nodes) => {
        const asked = work({ nodes, durable: layout.kind !== 'cluster' });
        const servers = simulateNats(COSTS, asked, layout);
        const between = servers.reduce((sum, { taken }) => sum + taken, 0) - asked.publicationsPerSecond;
        const sent = servers.reduce((sum, { sent }) => sum + sent, 0);
        expect(sent - between).toBeCloseTo(nodes * 100);
      }),
    );
  });
});

/** What the server that leads a log sends in a cluster: a message for each node, whatever server that is at, and all to each replica. */
function sentByLeader({ nodes, publicationsPerSecond, ofNodePerSecond }: NatsWork, replicas: number): number {
  return nodes * ofNodePerSecond + (replicas - 1) * publicationsPerSecond;
}

describe('the smallest layout', () => {
  it('is one server for a match that a thousand nodes follow', () => {
    expect(smallestLayout(COSTS, work({ nodes: 1000, publicationsPerSecond: 5, ofNodePerSecond: 5 }))).toEqual({ kind: 'one' });
  });

  it('keeps every server within its bounds, and one mirror less would not', () => {
    const much = work({ nodes: 300, publicationsPerSecond: 10_000, ofNodePerSecond: 5000 });
    const layout = smallestLayout(COSTS, much);
    expect(layout?.kind).toBe('mirrors');
    const isTooMuch = (mirrors: number) =>
      simulateNats(COSTS, much, { kind: 'mirrors', mirrors }).some(
        ({ cores, bitsPerSecond }) => cores > NATS_CORES_MAX || bitsPerSecond > NATS_BITS_MAX,
      );
    const { mirrors } = layout as Extract<NatsLayout, { kind: 'mirrors' }>;
    expect([isTooMuch(mirrors), isTooMuch(mirrors - 1)]).toEqual([false, true]);
  });

  it('is never a cluster for a log: its leader sends no less than one server would', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 20_000 }), fc.constantFrom(1, 3), (nodes, rate, replicas) => {
        const asked = work({ nodes, publicationsPerSecond: rate, ofNodePerSecond: rate });
        expect(smallestLayout(COSTS, asked)?.kind).not.toBe('cluster');
        expect(sentByLeader(asked, replicas)).toBeGreaterThanOrEqual(simulateNats(COSTS, asked, { kind: 'one' })[0]?.sent ?? 0);
      }),
    );
  });

  it('does not exist where the first server cannot take the publications: then there must be more namespaces', () => {
    const flood = work({ nodes: 10, publicationsPerSecond: 1_000_000, ofNodePerSecond: 1000 });
    expect(smallestLayout(COSTS, flood)).toBeUndefined();
    const load = { connections: 10, topics: 1000, membersPerTopic: 1, ratePerTopic: 1000, payloadBytes: 100 };
    const { advice } = forecastNats(DEFAULT_CONSTANTS, load, { nodes: 10, durable: true }, { publicationsPerSecond: 100_000 });
    expect(advice).toEqual([expect.stringContaining('more namespaces'), expect.stringContaining('more namespaces')]);
  });
});
