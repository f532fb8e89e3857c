import { availableParallelism } from 'node:os';
import { measureWindows } from '../../src/bench/plan/calibrate.ts';
import { constantsFrom, type Window } from '../../src/bench/plan/calibration.ts';
import type { CostConstants } from '../../src/bench/plan/constants.ts';
import { forecast, type Load, type NodeForecast } from '../../src/bench/plan/model.ts';
import { emptyRun } from '../measure/empty-run.ts';
import type { ServerUnderTest } from '../servers/server.ts';
import { coresOf, hubCoresOf, load, PAYLOAD_BYTES, publishedPerSecond, runWarm, specOf, writesOf } from './loads.ts';
import type { Overrides, Scenario } from './scenario.ts';

const FLEET = { workersPerNode: 1, pacingPeriodMaxMs: 75, filterTopicsMax: 0, durable: false };
/** The prediction may be wrong by this much. */
const WRONG_MAX = 0.25;
const NODES = [1, 3, 6];
const CALIBRATION_CONNECTIONS = 1000;

interface Shape {
  readonly name: string;
  readonly load: Load;
  /** What one of six nodes has of it. */
  readonly sixth: Load;
}

/** Below the point at which two cores that all nodes and clients share are full. */
const SHAPES: readonly Shape[] = [
  { name: 'big', load: load(3000, 1, 3000, 10), sixth: load(500, 1, 500, 10) },
  { name: 'watch', load: load(1500, 500, 60, 1), sixth: load(250, 500, 10, 1) },
  { name: 'users', load: load(1500, 1500, 1, 0.2), sixth: load(250, 250, 1, 0.2) },
];

/** Topics of its own for each connection, 20 of 1,000, ten publications a second to each. */
const OWN = load(1000, 1000, 20, 0.5);

async function calibrate(server: ServerUnderTest, pair: number, overrides: Overrides): Promise<CostConstants> {
  const run = async (load: Load) => {
    const result = await runWarm(server, pair, specOf(load, 1, overrides));
    if (result.invalid !== '') throw new Error(`calibrating: ${result.invalid}`);
    const published = publishedPerSecond(result);
    const perSecond = (published * load.membersPerTopic) / load.connections;
    return { connections: load.connections, perSecond, published, cores: coresOf(result), writesPerSecond: writesOf(result) };
  };
  const window = (_: string, connections: number, perSecond: number): Promise<Window> => run(load(connections, 1, connections, perSecond));
  const windows = { ...(await measureWindows(CALIBRATION_CONNECTIONS, window)), own: await run(OWN) };
  return constantsFrom(windows, { measured: 'this run', payloadBytes: PAYLOAD_BYTES });
}

export const planCheck: Scenario = {
  name: 'plan-check',
  title: 'Prediction of `stentor plan` against runs: 1, 3 and 6 nodes, one big topic, watchlists, users',
  describes:
    'Seven windows of one node give the constants, as `stentor bench --calibrate` does, and one with topics of their own; then each load is run, and the CPU of all nodes is compared with the prediction. ' +
    'All nodes share the cores of this machine. "sixth" is one of six nodes by itself, with cores of its own, as in a real fleet. ' +
    '"wrong" is the difference, as a share of what was measured; "unknown" counts why the model said that it does not know; "hub" is the hubs’ part.',
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
      nodeUs: constants.nodeUs,
      connectionUs: constants.connectionUs,
      ...Object.fromEntries(constants.publication.map(({ perSecond, us }) => [`publicationUs.${Math.round(perSecond)}`, us])),
      sendUs: constants.sendUs,
      ownSendUs: constants.ownSendUs ?? Number.NaN,
      deliveryUs: constants.deliveryUs,
    };
    const invalid: string[] = [];
    let wrongMax = 0;
    const compare = async (row: string, asked: Load, nodes: number, one: NodeForecast) => {
      const run = await runWarm(server, pair, specOf(asked, nodes, overrides));
      if (run.invalid !== '') invalid.push(`${row}: ${run.invalid}`);
      const measured = coresOf(run);
      const predicted = one.hubAndWorkersCores * nodes;
      const wrong = predicted / measured - 1;
      extra[`${row}.measured`] = measured;
      extra[`${row}.predicted`] = predicted;
      extra[`${row}.wrong`] = wrong;
      extra[`${row}.unknown`] = one.unknown.length;
      extra[`${row}.hub`] = hubCoresOf(run);
      extra[`${row}.hubPredicted`] = predicted - one.workerCores * nodes;
      extra[`${row}.others`] = run.othersCpuShare;
      if (one.unknown.length === 0) wrongMax = Math.max(wrongMax, Math.abs(wrong));
    };
    const cores = availableParallelism();
    for (const { name, load: asked, sixth } of SHAPES) {
      const predict = (nodes: number, coresPerNode: number) => forecast(constants, asked, { ...FLEET, nodes, coresPerNode });
      for (const nodes of NODES) await compare(`${name}.${nodes}`, asked, nodes, predict(nodes, cores / nodes));
      await compare(`${name}.sixth`, sixth, 1, predict(6, cores));
    }
    return emptyRun(server.name, pair, { ...extra, wrongMax }, invalid.join('; '));
  },
};
