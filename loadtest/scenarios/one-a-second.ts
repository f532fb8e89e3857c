import { exactCpuSeconds, processTree } from '../core/proc.ts';
import type { RunResult, WindowSpec } from '../measure/types.ts';
import { measureWindow } from '../measure/window.ts';
import { type Stage, withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE, figureTarget, ratioTarget } from './feeds.ts';
import type { Overrides, Scenario } from './scenario.ts';

const RATE = 1;
const SECONDS = 20;
/** A process that has just started compiles, and collects garbage of its start, 5 to 10 s later: a tenth of a second of CPU. */
const SETTLE_MS = 12_000;
const WARMUP_MS = 3000;

const ON_NATS = ['stentor-nats-ephemeral', 'uws-nats'];
const ON_MEMORY = ['stentor', 'uws'];

export const oneASecond: Scenario = {
  name: 'one-a-second',
  title: 'An idle node, and one publication a second to one member',
  describes:
    'CPU of the whole node, from the scheduler, over a window in which nothing happens, then over one with a publication a second. "added" is the second less the ' +
    'first: what the publication itself costs. On the memory bus, and with bare uWS beside it, the measured process feeds itself.',
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
  await wait(SETTLE_MS);
  const idle = await cpuShareOf(pids, () => wait(spec.durationMs));
  await swarm.connect();
  await measureWindow(window, { ...spec, durationMs: WARMUP_MS });
  let measured: Awaited<ReturnType<typeof measureWindow>> | undefined;
  const busy = await cpuShareOf(pids, async () => {
    [measured] = await Promise.all([measureWindow(window, spec), wait(spec.durationMs)]);
  });
  const msEach = (share: number) => (share * 1000) / group!.ratePerSecond;
  const extra = { idleCpuPercent: idle * 100, cpuMsPerPublication: msEach(busy), addedCpuMsPerPublication: msEach(busy - idle) };
  // Its clock ticks in hundredths of a second: too coarse here.
  return { ...measured!, cpuPerDeliveryUs: undefined, extra };
}

/** Of one core, on average while the work is done. */
async function cpuShareOf(pids: readonly number[], work: () => Promise<unknown>): Promise<number> {
  const [before, startMs] = [exactCpuSeconds(pids), performance.now()];
  await work();
  return (exactCpuSeconds(pids) - before) / ((performance.now() - startMs) / 1000);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
