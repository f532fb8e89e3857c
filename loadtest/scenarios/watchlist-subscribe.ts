import { setTimeout as sleep } from 'node:timers/promises';
import type { Watchlist } from '../core/watchlist.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { costOfJoining, publishToAll } from '../measure/joining.ts';
import type { Group } from '../measure/types.ts';
import { type Stage, withServer } from '../measure/with-server.ts';
import type { RunningServer, ServerUnderTest } from '../servers/server.ts';
import type { ConnectReport } from '../swarm/settings.ts';
import { BENCH_NAMESPACE, figureTarget } from './feeds.ts';
import type { Overrides, Scenario } from './scenario.ts';

const SERVER = 'stentor-nats';
const TOPIC = `${BENCH_NAMESPACE}.w`;
const PAYLOAD_BYTES = 100;
const CPU_US_MAX = 20;
/** As many as a listen backlog holds. */
const IN_FLIGHT_MAX = 500;
const SETTLE_MS = 2000;
const PUBLISH_MS = 2000;

const FIRST = { connections: 4000, watch: { topics: 1000, perConnection: 50 } };
const AGAIN = { connections: 2000, watch: { topics: 10_000, perConnection: 500 } };

export const watchlistSubscribe: Scenario = {
  name: 'watchlist-subscribe',
  title: 'Subscribing to watchlists: 4,000 × 50 topics, and 2,000 × 500 again after a restart',
  describes:
    'CPU of the node for each subscription. "first": open connections subscribe, to topics that nobody follows yet. "again": the node is restarted, and all come ' +
    'back, connecting included, each topic with the position that it had; every topic has a publication in its log, and none is missing. Topics go as `subscribeMany`. ' +
    'Latencies are from the beginning of a connection, or of its subscribing, to its last confirmed topic, with 500 connections at it at a time.',
  servers: [SERVER, 'uws-nats'],
  baseline: 'uws-nats',
  targets: [
    figureTarget('W6', 'cpuPerSubscriptionUs.first', CPU_US_MAX, 'CPU of a subscription, 4,000 × 50 ≤ 20 µs', SERVER),
    figureTarget(
      'W6',
      'cpuPerSubscriptionUs.again',
      CPU_US_MAX,
      'CPU of a subscription with a position, 2,000 × 500 after a restart ≤ 20 µs',
      SERVER,
    ),
  ],
  async run(server, pair, overrides) {
    const first = await onStage(server, overrides, ({ swarm, server: running }) =>
      subscribeFirst(running, swarm(...swarmOf(FIRST, overrides))),
    );
    const again = await onStage(server, overrides, (stage) => subscribeAgain(stage, overrides));
    return emptyRun(server.name, pair, { ...named(first, 'first'), ...named(again, 'again') });
  },
};

interface Shape {
  readonly connections: number;
  readonly watch: Watchlist;
}

interface Cost {
  readonly cpuPerSubscriptionUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly elapsedMs: number;
}

type Swarm = ReturnType<Stage['swarm']>;

function onStage<T>(server: ServerUnderTest, overrides: Overrides, work: (stage: Stage) => Promise<T>): Promise<T> {
  return withServer(server, { nodes: 1, workers: overrides.workers ?? 1, keyed: false }, work);
}

function swarmOf({ connections, watch }: Shape, overrides: Overrides): Parameters<Stage['swarm']> {
  const members = overrides.members ?? (overrides.quick ? connections / 10 : connections);
  const group: Group = { name: 'watch', topic: TOPIC, members, ratePerSecond: 1, burst: 1, watch };
  return [
    group,
    { payloadBytes: overrides.payloadBytes ?? PAYLOAD_BYTES, everyLatency: false, keys: 0, inFlightMax: IN_FLIGHT_MAX, later: true },
  ];
}

async function subscribeFirst(server: RunningServer, swarm: Swarm): Promise<Cost> {
  await swarm.connect();
  return costOf(server, swarm, () => swarm.subscribe());
}

async function subscribeAgain(stage: Stage, overrides: Overrides): Promise<Cost> {
  const { server } = stage;
  if (server.restart === undefined) throw new Error('a server that cannot be restarted cannot be measured here');
  const { topics } = AGAIN.watch;
  await publishToAll(server, { topic: TOPIC, topics, payloadBytes: overrides.payloadBytes ?? PAYLOAD_BYTES, durationMs: PUBLISH_MS });
  const swarm = stage.swarm(...swarmOf(AGAIN, overrides));
  await swarm.connect();
  await sleep(SETTLE_MS);
  await swarm.subscribe();
  await server.restart();
  return costOf(server, swarm, () => swarm.reconnect(server));
}

/** Of the server's processes, from a quiet moment until every topic is confirmed. */
async function costOf(server: RunningServer, { group }: Swarm, join: () => Promise<readonly ConnectReport[]>): Promise<Cost> {
  const { cpuSeconds, joined } = await costOfJoining(server, SETTLE_MS, join);
  const [{ joinMs, elapsedMs }] = joined as [ConnectReport];
  return {
    cpuPerSubscriptionUs: (cpuSeconds * 1e6) / (group.members * group.watch!.perConnection),
    p50Ms: joinMs.p50,
    p99Ms: joinMs.p99,
    elapsedMs,
  };
}

function named(cost: Cost, name: string): Record<string, number> {
  return Object.fromEntries(Object.entries(cost).map(([metric, value]) => [`${metric}.${name}`, value]));
}
