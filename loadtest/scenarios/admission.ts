import { spread } from '../core/stats.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { costOfJoining, publishToAll } from '../measure/joining.ts';
import { withServer } from '../measure/with-server.ts';
import type { RunningServer } from '../servers/server.ts';
import { BENCH_NAMESPACE, figureTarget } from './feeds.ts';
import type { Scenario } from './scenario.ts';

const SERVER = 'stentor-nats-users';
const TOPIC = `${BENCH_NAMESPACE}.w`;
const PAYLOAD_BYTES = 100;
const WATCH = { topics: 1000, perConnection: 10 };
const MEMBERS = 1000;
const CROWDS = 6;
const SETTLE_MS = 1500;
const PUBLISH_MS = 1000;
const CPU_MS_MAX = 0.25;

export const admission: Scenario = {
  name: 'admission',
  title: 'Clients with a token and 10 topics return, a thousand at a time',
  describes:
    'CPU of the node (hub and worker) for each client that connects with a token and subscribes to 10 of 1,000 topics, each with the position that it had; nothing is missing. ' +
    '"cold": the first thousand after a restart of the node; "warm": the median of the 4th to 6th thousand. "again": they all return once more to the running node, which knows ' +
    'their tokens, and the end of their connections is counted too. One array has all subscribes. "hubMs": the hub’s part.',
  servers: [SERVER],
  baseline: SERVER,
  targets: [figureTarget('A', 'cpuMs.warm', CPU_MS_MAX, 'CPU of a returning client with a token and 10 topics ≤ 0.25 ms', SERVER)],
  run(server, pair, overrides) {
    const members = overrides.members ?? (overrides.quick ? MEMBERS / 10 : MEMBERS);
    const startSettings = { nodes: 1, workers: overrides.workers ?? 1, keyed: false };
    return withServer(server, startSettings, async ({ server: running, swarm }) => {
      await publishToAll(running, { topic: TOPIC, topics: WATCH.topics, payloadBytes: PAYLOAD_BYTES, durationMs: PUBLISH_MS });
      const crowds = Array.from({ length: CROWDS }, (_, i) => {
        const group = { name: `crowd-${i}`, topic: TOPIC, members, ratePerSecond: 1, burst: 1, watch: WATCH };
        return swarm(group, { payloadBytes: PAYLOAD_BYTES, everyLatency: false, keys: 0 });
      });
      for (const crowd of crowds) await crowd.connect();
      await running.restart?.();
      const first: Cost[] = [];
      for (const crowd of crowds) first.push(await costOf(running, members, () => crowd.reconnect(running)));
      const again: Cost[] = [];
      for (const crowd of crowds) again.push(await costOf(running, members, () => crowd.reconnect(running)));
      const warm = first.slice(CROWDS / 2);
      return emptyRun(server.name, pair, {
        'cpuMs.cold': first[0]!.allMs,
        'cpuMs.warm': medianOf(warm, ({ allMs }) => allMs),
        'cpuMs.again': medianOf(again.slice(CROWDS / 2), ({ allMs }) => allMs),
        'hubMs.cold': first[0]!.hubMs,
        'hubMs.warm': medianOf(warm, ({ hubMs }) => hubMs),
        ...Object.fromEntries([...first, ...again].map(({ allMs }, i) => [`cpuMs.${i + 1}`, allMs])),
      });
    });
  },
};

/** CPU of a node for each client. */
interface Cost {
  readonly allMs: number;
  readonly hubMs: number;
}

async function costOf(server: RunningServer, clients: number, come: () => Promise<unknown>): Promise<Cost> {
  const { cpuSeconds, hubCpuSeconds } = await costOfJoining(server, SETTLE_MS, come);
  return { allMs: (cpuSeconds * 1000) / clients, hubMs: (hubCpuSeconds * 1000) / clients };
}

function medianOf(costs: readonly Cost[], figure: (cost: Cost) => number): number {
  return spread(costs.map(figure)).median;
}
