import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calibrate } from '../../src/bench/plan/calibrate.ts';
import { constantsFrom, type Window, type Windows } from '../../src/bench/plan/calibration.ts';
import { type CostConstants, parseConstants } from '../../src/bench/plan/constants.ts';
import { DEFAULT_CONSTANTS } from '../../src/bench/plan/default-constants.ts';
import { type Fleet, forecast, type Load } from '../../src/bench/plan/model.ts';
import { nodesFor } from '../../src/bench/plan/search.ts';

const FLEET: Fleet = { nodes: 1, workersPerNode: 1, coresPerNode: 2, pacingPeriodMaxMs: 75, filterTopicsMax: 1000, durable: false };
const WISHES = { coresPerProcessMax: 0.6, passMsMax: 500, connectionsPerWorkerMax: 50_000 };

const big = (connections: number, ratePerTopic: number): Load => ({
  connections,
  topics: 1,
  membersPerTopic: connections,
  ratePerTopic,
  payloadBytes: 100,
});

/** What a machine with these costs would measure. */
function windowOf({ ownSendUs: _, ...constants }: CostConstants, connections: number, perSecond: number): Window {
  const node = forecast(constants, big(connections, perSecond), FLEET);
  return { connections, perSecond, cores: node.hubAndWorkersCores, writesPerSecond: node.writesPerSecond };
}

function windowsOf(constants: CostConstants): Windows {
  return {
    empty: windowOf(constants, 1, 0.5),
    slow: windowOf(constants, 1, 10),
    fast: windowOf(constants, 1, 400),
    flood: windowOf(constants, 1, 4000),
    idle: windowOf(constants, 1000, 0.5),
    single: windowOf(constants, 1000, 10),
    joined: windowOf(constants, 1000, 400),
  };
}

/** At the rates of a calibration. */
const publicationOf = (slowUs: number) => [
  { perSecond: 10, us: slowUs },
  { perSecond: 400, us: 120 },
  { perSecond: 4000, us: 40 },
];

describe('the constants of a calibration', () => {
  it('are those of the machine that was measured', () => {
    const cost = fc.record({
      sendUs: fc.double({ min: 3, max: 30, noNaN: true }),
      deliveryUs: fc.double({ min: 0.05, max: 0.5, noNaN: true }),
      nodeUs: fc.double({ min: 500, max: 9000, noNaN: true }),
      connectionUs: fc.double({ min: 0.1, max: 2, noNaN: true }),
      slowUs: fc.double({ min: 200, max: 900, noNaN: true }),
    });
    fc.assert(
      fc.property(cost, ({ slowUs, ...costs }) => {
        const publication = publicationOf(slowUs);
        const real = { ...DEFAULT_CONSTANTS, ...costs, publication };
        const found = constantsFrom(windowsOf(real), real);
        for (const [name, cost] of Object.entries(costs)) expect(found[name as keyof typeof costs] / cost).toBeCloseTo(1, 1);
        for (const [at, { perSecond, us }] of publication.entries()) {
          expect([found.publication[at]?.perSecond, (found.publication[at]?.us ?? 0) / us]).toEqual([perSecond, expect.closeTo(1, 2)]);
        }
        // What it explains is what was measured.
        for (const [connections, perSecond] of [
          [1000, 10],
          [1000, 400],
          [1, 20],
          [1, 2000],
          [3000, 5],
        ] as const) {
          expect(windowOf(found, connections, perSecond).cores / windowOf(real, connections, perSecond).cores).toBeCloseTo(1, 2);
        }
      }),
    );
  });

  it('tell the node itself from its connections: 1,000 idle ones cost little more than none', () => {
    const real = { ...DEFAULT_CONSTANTS, publication: publicationOf(380), nodeUs: 3000, connectionUs: 0.5 };
    const { nodeUs, connectionUs } = constantsFrom(windowsOf(real), real);
    expect([nodeUs, connectionUs]).toEqual([expect.closeTo(3000, 0), expect.closeTo(0.5, 1)]);
  });

  it('have no free deliveries, although publications cost less where they are joined', () => {
    const windows = windowsOf(DEFAULT_CONSTANTS);
    const cheap = { ...windows, joined: { ...windows.joined, cores: windows.joined.cores / 2 } };
    expect(constantsFrom(cheap, DEFAULT_CONSTANTS).deliveryUs).toBe(DEFAULT_CONSTANTS.deliveryUs);
  });

  it('cannot be found on a machine that was busy with something else', () => {
    const windows = windowsOf(DEFAULT_CONSTANTS);
    for (const name of ['idle', 'empty'] as const) {
      const busy = { ...windows, [name]: { ...windows[name], cores: 0.9 } };
      expect(() => constantsFrom(busy, DEFAULT_CONSTANTS), name).toThrow('too busy');
    }
  });

  /** Calibrates against a node that costs what the default constants say, which all the connections are at, or so many of them. */
  async function calibrated(hereShare = 1) {
    const counters = { cpuSeconds: 0, framesOut: 0 };
    let nowMs = 0;
    const asked: number[][] = [];
    const found = await calibrate({
      connections: 100,
      payloadBytes: 100,
      machine: 'here',
      nowMs: () => nowMs,
      onProgress: () => undefined,
      counters: async () => ({ ...counters }),
      run: async ({ connections, perSecond, begin, end }) => {
        asked.push([connections, perSecond]);
        await begin();
        nowMs += 10_000;
        const node = forecast(DEFAULT_CONSTANTS, big(connections, perSecond), FLEET);
        counters.cpuSeconds += 10 * node.hubAndWorkersCores;
        counters.framesOut += hereShare * connections * node.writesPerSecond * 10;
        await end();
        return 10 * perSecond;
      },
    });
    return { found, asked };
  }

  it('come from the windows of a bench, in which the node is asked before and after', async () => {
    const { found, asked } = await calibrated();
    expect(asked).toEqual([
      [1, 400],
      [1, 0.5],
      [1, 10],
      [1, 400],
      [1, 4000],
      [100, 0.5],
      [100, 10],
      [100, 400],
    ]);
    expect(found.sendUs / DEFAULT_CONSTANTS.sendUs).toBeCloseTo(1, 1);
    expect(found.measured).toBe('here');
    expect(parseConstants(JSON.stringify(found))).toEqual(found);
  });

  it('cannot be found if the connections are at another node', async () => {
    await expect(calibrated(0.4)).rejects.toThrow('different nodes');
  });

  it.each([
    ['{', /not JSON/],
    ['{}', /required/],
    [JSON.stringify({ ...DEFAULT_CONSTANTS, sendUs: -1 }), /sendUs/],
    [JSON.stringify({ ...DEFAULT_CONSTANTS, version: 2 }), /version/],
    [JSON.stringify(DEFAULT_CONSTANTS).replace('"sendUs":10', '"sendUs":1e308'), /sendUs/],
    [JSON.stringify({ ...DEFAULT_CONSTANTS, publication: [] }), /publication/],
    [JSON.stringify({ ...DEFAULT_CONSTANTS, publication: DEFAULT_CONSTANTS.publication.toReversed() }), /lowest perSecond first/],
  ])('are refused if the file is %j', (text, why) => {
    expect(() => parseConstants(text)).toThrow(why);
  });
});

describe('a forecast', () => {
  it('says that it does not know what is beyond its calibration', () => {
    expect(forecast(DEFAULT_CONSTANTS, big(1000, 10), FLEET).unknown).toEqual([]);
    expect(forecast(DEFAULT_CONSTANTS, big(40_000, 400), FLEET).unknown).toEqual([
      expect.stringMatching(/a worker would use \d+% of a core/),
    ]);
    expect(forecast(DEFAULT_CONSTANTS, { ...big(10, 1), payloadBytes: 5000 }, FLEET).unknown).toHaveLength(1);
    const fastest = DEFAULT_CONSTANTS.publication.at(-1)?.perSecond ?? 0;
    const many = { ...big(1, 1), topics: 3 * fastest };
    expect(forecast(DEFAULT_CONSTANTS, many, FLEET).unknown).toEqual([expect.stringMatching(/publications\/s; up to .* were measured/)]);
    const { ownSendUs: _, ...without } = DEFAULT_CONSTANTS;
    const users = { ...big(1000, 0.1), topics: 1000, membersPerTopic: 1 };
    expect(forecast(without, users, FLEET).unknown).toEqual(['connections with topics of their own were not measured']);
  });

  it('says that it does not know what processes use that share their cores, unless they use little of them', () => {
    const unknown = (rate: number, coresPerNode: number) =>
      forecast(DEFAULT_CONSTANTS, big(1000, rate), { ...FLEET, coresPerNode }).unknown;
    expect(unknown(20, 2)).toEqual([]);
    expect(unknown(20, 0.5)).toEqual([expect.stringMatching(/^hub and workers have fewer cores/)]);
    expect(unknown(1, 0.5)).toEqual([]);
  });

  it('has a node follow all of a durable namespace only above the bound of topics', () => {
    const wide: Load = { connections: 10_000, topics: 10_000, membersPerTopic: 1, ratePerTopic: 1, payloadBytes: 100 };
    const at = (nodes: number, filterTopicsMax: number) =>
      forecast(DEFAULT_CONSTANTS, wide, { ...FLEET, durable: true, nodes, filterTopicsMax });
    expect(at(20, 1000).publicationsPerSecond).toBeCloseTo(500);
    expect(at(20, 0).publicationsPerSecond).toBeCloseTo(10_000);
    expect(at(5, 1000).publicationsPerSecond).toBeCloseTo(10_000);
  });

  it('never says less CPU for all nodes with more nodes, and never more for each', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 100_000 }),
        fc.double({ min: 0.1, max: 20, noNaN: true }),
        fc.integer({ min: 1, max: 20 }),
        (n, rate, nodes) => {
          const one = forecast(DEFAULT_CONSTANTS, big(n, rate), { ...FLEET, nodes });
          const more = forecast(DEFAULT_CONSTANTS, big(n, rate), { ...FLEET, nodes: nodes + 1 });
          expect(more.connections).toBeLessThan(one.connections);
          expect(more.memoryBytes).toBeLessThan(one.memoryBytes);
          expect(more.passMs).toBeLessThan(one.passMs);
        },
      ),
    );
  });
});

describe('the number of nodes', () => {
  it('is the smallest that fulfils all wishes, and the reason is what one less would exceed', () => {
    const plan = nodesFor(DEFAULT_CONSTANTS, big(2_000_000, 5), FLEET, WISHES);
    if ('impossible' in plan) throw new Error(plan.impossible);
    expect(plan.nodes).toBeGreaterThan(10);
    expect(plan.because).toMatch(/connections a worker|of a core|a pass/);
    expect(plan.node.workerCores).toBeLessThanOrEqual(WISHES.coresPerProcessMax);
    const less = forecast(DEFAULT_CONSTANTS, big(2_000_000, 5), { ...FLEET, nodes: plan.nodes - 1 });
    expect(less.workerCores > WISHES.coresPerProcessMax || less.passMs > WISHES.passMsMax || less.connections > 50_000).toBe(true);
    expect(nodesFor(DEFAULT_CONSTANTS, big(10, 1), FLEET, WISHES)).toMatchObject({ nodes: 1, because: 'one is enough' });
  });

  it('is larger where nodes have fewer cores', () => {
    const nodes = (coresPerNode: number) => nodesFor(DEFAULT_CONSTANTS, big(100_000, 5), { ...FLEET, coresPerNode }, WISHES);
    const [two, half] = [nodes(2), nodes(0.5)];
    if ('impossible' in two || 'impossible' in half) throw new Error('there is a number');
    expect(half.nodes).toBeGreaterThan(two.nodes);
    expect(half.because).toMatch(/^hub and workers would use 0\.\d\d of the node's 0\.5 cores$/);
  });

  it('does not exist where every node has too many publications, or even the most nodes too many connections', () => {
    const flood: Load = { ...big(1_000_000, 1), topics: 1, ratePerTopic: 1_000_000 };
    expect(nodesFor(DEFAULT_CONSTANTS, flood, FLEET, WISHES)).toEqual({ impossible: expect.stringMatching(/of a core$/) });
    const everybody = nodesFor(DEFAULT_CONSTANTS, big(1e10, 0.001), FLEET, WISHES);
    expect(everybody).toEqual({ impossible: 'more than 50000 connections a worker' });
  });
});
