import { constantsFrom, type Window } from '../../src/bench/plan/calibration.ts';
import { forecast, type Load } from '../../src/bench/plan/model.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { runServer } from '../measure/run.ts';
import type { Group, RunResult, WindowSpec } from '../measure/types.ts';
import type { ServerUnderTest } from '../servers/server.ts';
import { BENCH_NAMESPACE } from './feeds.ts';
import type { Overrides, Scenario } from './scenario.ts';

const PAYLOAD_BYTES = 100;
const PACING_PERIOD_MS = 75;
/** The prediction may be wrong by this much. */
const WRONG_MAX = 0.25;
const NODES = [1, 3, 6];

interface Shape {
  readonly name: string;
  readonly load: Load;
}

/** Below the point at which two cores that all nodes and clients share are full. */
const SHAPES: readonly Shape[] = [
  { name: 'big', load: load(3000, 1, 3000, 10) },
  { name: 'watch', load: load(1500, 500, 60, 1) },
  { name: 'users', load: load(1500, 1500, 1, 0.2) },
];

function load(connections: number, topics: number, membersPerTopic: number, ratePerTopic: number): Load {
  return { connections, topics, membersPerTopic, ratePerTopic, payloadBytes: PAYLOAD_BYTES };
}

function specOf({ connections, topics, membersPerTopic, ratePerTopic }: Load, nodes: number, { seconds, quick }: Overrides): WindowSpec {
  const perConnection = Math.round((topics * membersPerTopic) / connections);
  const group: Group = {
    name: 'all',
    topic: `${BENCH_NAMESPACE}.p`,
    members: connections,
    ratePerSecond: topics * ratePerTopic,
    burst: 1,
    ...(topics > 1 && { watch: { topics, perConnection } }),
  };
  return {
    groups: [group],
    nodes,
    workers: 1,
    warmupMs: quick ? 500 : 2500,
    durationMs: (seconds ?? (quick ? 2 : 4)) * 1000,
    payloadBytes: PAYLOAD_BYTES,
    everyLatency: false,
    countSends: false,
  };
}

/** Of one core, while publications came. */
function coresOf({ cpuSeconds, elapsedMs }: RunResult): number {
  return (cpuSeconds * 1000) / elapsedMs;
}

/** Frames of a connection a second. */
function writesOf({ groups, elapsedMs }: RunResult): number {
  return groups.reduce((sum, { frames, members }) => sum + frames / members, 0) / (elapsedMs / 1000);
}

async function calibrate(server: ServerUnderTest, pair: number, overrides: Overrides) {
  const window = async (connections: number, perSecond: number): Promise<Window> => {
    const run = await runServer(server, pair, specOf(load(connections, 1, connections, perSecond), 1, overrides));
    return { connections, perSecond, cores: coresOf(run), writesPerSecond: writesOf(run) };
  };
  const own = load(1000, 1000, 20, 0.5);
  const windows = {
    idle: await window(1000, 1),
    slow: await window(1, 20),
    fast: await window(1, 400),
    single: await window(1000, 10),
    joined: await window(1000, 400),
    own: await runServer(server, pair, specOf(own, 1, overrides)).then((run) => ({
      connections: own.connections,
      perSecond: (own.topics * own.membersPerTopic * own.ratePerTopic) / own.connections,
      published: own.topics * own.ratePerTopic,
      cores: coresOf(run),
      writesPerSecond: writesOf(run),
    })),
  };
  return constantsFrom(windows, { measured: 'this run', payloadBytes: PAYLOAD_BYTES });
}

export const planCheck: Scenario = {
  name: 'plan-check',
  title: 'Prediction of `stentor plan` against runs: 1, 3 and 6 nodes, one big topic, watchlists, users',
  describes:
    'Six windows of one node give the constants, as `stentor bench --calibrate` does; then each load is run, and the CPU of all nodes is compared with the prediction. ' +
    '"wrong" is the difference, as a share of what was measured; "unknown" is 1 where the model said that it does not know.',
  servers: ['stentor-nats-ephemeral'],
  baseline: 'stentor-nats-ephemeral',
  targets: [
    {
      number: 'plan',
      server: 'stentor-nats-ephemeral',
      metric: 'wrongMax',
      against: [],
      bound: { atMost: WRONG_MAX },
      text: 'CPU predicted within 25%, or said not to be known',
    },
  ],
  async run(server, pair, overrides) {
    const constants = await calibrate(server, pair, overrides);
    const extra: Record<string, number> = {
      connectionUs: constants.connectionUs,
      slowUs: constants.publication.slowUs,
      fastUs: constants.publication.fastUs,
      sendUs: constants.sendUs,
      ownSendUs: constants.ownSendUs ?? Number.NaN,
      deliveryUs: constants.deliveryUs,
    };
    const invalid: string[] = [];
    let wrongMax = 0;
    for (const { name, load: asked } of SHAPES) {
      for (const nodes of NODES) {
        const run = await runServer(server, pair, specOf(asked, nodes, overrides));
        if (run.invalid !== '') invalid.push(`${name} on ${nodes}: ${run.invalid}`);
        const fleet = { nodes, workersPerNode: 1, pacingPeriodMaxMs: PACING_PERIOD_MS, filterTopicsMax: 0, durable: false };
        const node = forecast(constants, asked, fleet);
        const measured = coresOf(run);
        const predicted = node.hubAndWorkersCores * nodes;
        const wrong = predicted / measured - 1;
        extra[`${name}.${nodes}.measured`] = measured;
        extra[`${name}.${nodes}.predicted`] = predicted;
        extra[`${name}.${nodes}.wrong`] = wrong;
        extra[`${name}.${nodes}.unknown`] = node.unknown.length;
        if (node.unknown.length === 0) wrongMax = Math.max(wrongMax, Math.abs(wrong));
      }
    }
    return emptyRun(server.name, pair, { ...extra, wrongMax }, invalid.join('; '));
  },
};

/** Each node the same, however many there are. */
const TWELVE = { nodes: 12, perNode: 250, ratePerSecond: 10 };

export const twelveNodes: Scenario = {
  name: 'twelve-nodes',
  title: '12 nodes on one NATS: one topic of 3,000, 10 publications a second',
  describes:
    'What a node costs when there are many, and NATS for each node and publication: 12 nodes against 1, and a rate of 10 against 110.',
  servers: ['stentor-nats-ephemeral', 'stentor-nats'],
  baseline: 'stentor-nats-ephemeral',
  targets: [],
  async run(server, pair, overrides) {
    const extra: Record<string, number> = {};
    let invalid = '';
    for (const [nodes, rate] of [
      [1, TWELVE.ratePerSecond],
      [1, TWELVE.ratePerSecond + 100],
      [TWELVE.nodes, TWELVE.ratePerSecond],
      [TWELVE.nodes, TWELVE.ratePerSecond + 100],
    ] as const) {
      const members = TWELVE.perNode * nodes;
      const run = await runServer(server, pair, specOf(load(members, 1, members, rate), nodes, overrides));
      invalid ||= run.invalid;
      const key = `${nodes}x${rate}`;
      extra[`${key}.nodeCores`] = coresOf(run) / nodes;
      extra[`${key}.natsCores`] = run.extra?.brokerCores ?? Number.NaN;
      extra[`${key}.p99Ms`] = run.groups[0]?.latency.p99Ms ?? Number.NaN;
      extra[`${key}.nodeMiB`] = run.residentMiB / nodes;
    }
    return emptyRun(server.name, pair, extra, invalid);
  },
};
