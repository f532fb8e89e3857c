import { exactCpuSeconds, processTree } from '../core/proc.ts';
import { spread } from '../core/stats.ts';
import type { RunResult, WindowSpec } from '../measure/types.ts';
import { atRate, measureWindow } from '../measure/window.ts';
import { type Stage, withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE, figureTarget, ratioTarget } from './feeds.ts';
import type { Overrides, Scenario } from './scenario.ts';

const RATE = 1;
const SECONDS = 20;
/** A process that has just started collects the garbage of its start 5 to 10 s later: a tenth of a second of CPU. */
const SETTLE_MS = 12_000;
/** So many publications before it: a node that has run for an hour has compiled its code, and one with three has not. */
const WARMUP = { ms: 3000, ratePerSecond: 1000 };
/** Long against what a node does now and then: every 2 s it tells the others of itself. */
const SLICE_MS = 4000;

const ON_NATS = ['stentor-nats-ephemeral', 'uws-nats'];
const ON_MEMORY = ['stentor', 'uws'];

export const oneASecond: Scenario = {
  name: 'one-a-second',
  title: 'An idle node, and one publication a second to one member',
  describes:
    'CPU of the whole node, from the scheduler: with a member and nothing to deliver, before and after a window with a publication a second, and after 3,000 at once that warm the code up. "added" is that ' +
    "window's less the idle ones': what the publication itself costs. Medians of slices of 4 s. On the memory bus, and with bare uWS beside it, the measured process feeds itself.",
  servers: [...ON_NATS, ...ON_MEMORY],
  baseline: 'uws-nats',
  targets: [ON_NATS, ON_MEMORY].flatMap((servers) => [
    figureTarget('F4', 'idleCpuPercent', 0.3, `${servers[0]}: CPU of an idle node ≤ 0.3% of a core`, servers[0]),
    ratioTarget('F4', 'addedCpuMsPerPublication', 2, `${servers[0]}: CPU of one publication a second ≤ 2 × ${servers[1]}`, servers),
  ]),
  run(server, pair, overrides) {
    const spec = specOf(overrides);
    return withServer(server, { nodes: 1, workers: spec.workers, keyed: false }, async (stage) => ({
      server: server.name,
      pair,
      ...(await measure(stage, spec)),
    }));
  },
};

function specOf(overrides: Overrides): WindowSpec {
  const seconds = overrides.seconds ?? (overrides.quick ? 5 : SECONDS);
  return {
    groups: [{ name: 'all', topic: `${BENCH_NAMESPACE}.one`, members: 1, ratePerSecond: overrides.rate ?? RATE, burst: 1 }],
    nodes: 1,
    workers: overrides.workers ?? 1,
    warmupMs: 0,
    durationMs: seconds * 1000,
    payloadBytes: overrides.payloadBytes ?? 100,
    everyLatency: true,
    countSends: false,
  };
}

async function measure(stage: Stage, spec: WindowSpec): Promise<Omit<RunResult, 'server' | 'pair'>> {
  const [group] = spec.groups;
  const swarm = stage.swarm(group!, { ...spec, keys: 0 });
  const window = { server: stage.server, swarms: [swarm], sequences: new Map<string, number>() };
  const pids = processTree(stage.server.pids);
  await swarm.connect();
  await measureWindow(window, { ...atRate(spec, WARMUP.ratePerSecond), durationMs: WARMUP.ms });
  await wait(SETTLE_MS);
  const before = await cpuShares(pids, spec.durationMs / 2);
  const [measured, fed] = await Promise.all([measureWindow(window, spec), cpuShares(pids, spec.durationMs)]);
  const after = await cpuShares(pids, spec.durationMs / 2);
  const idleShare = spread([...before, ...after]).median;
  const fedShare = spread(fed).median;
  const msEach = (share: number) => (share * 1000) / group!.ratePerSecond;
  const extra = {
    idleCpuPercent: idleShare * 100,
    cpuMsPerPublication: msEach(fedShare),
    addedCpuMsPerPublication: msEach(fedShare - idleShare),
  };
  // Its clock ticks in hundredths of a second: too coarse here.
  return { ...measured, cpuPerDeliveryUs: undefined, extra };
}

/** Of one core, in each slice of so long: a collection of garbage in one of them, a tenth of a second, is more than all else together. */
async function cpuShares(pids: readonly number[], durationMs: number): Promise<number[]> {
  const shares: number[] = [];
  for (let i = 0; i < Math.max(1, Math.floor(durationMs / SLICE_MS)); i++) {
    const [before, startMs] = [exactCpuSeconds(pids), performance.now()];
    await wait(SLICE_MS);
    shares.push((exactCpuSeconds(pids) - before) / ((performance.now() - startMs) / 1000));
  }
  return shares;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
