import type { Load } from '../../src/bench/plan/model.ts';
import { isHub } from '../core/proc.ts';
import type { Group, RunResult, WindowSpec } from '../measure/types.ts';
import { measureWindow } from '../measure/window.ts';
import { withServer } from '../measure/with-server.ts';
import type { ServerUnderTest } from '../servers/server.ts';
import { BENCH_NAMESPACE } from './feeds.ts';
import type { Overrides } from './scenario.ts';

/** Loads as `stentor plan` is asked about them, and what a run of one shows. */
export const PAYLOAD_BYTES = 100;

export function load(connections: number, topics: number, membersPerTopic: number, ratePerTopic: number): Load {
  return { connections, topics, membersPerTopic, ratePerTopic, payloadBytes: PAYLOAD_BYTES };
}

export function specOf(
  { connections, topics, membersPerTopic, ratePerTopic }: Load,
  nodes: number,
  { seconds, quick }: Pick<Overrides, 'seconds' | 'quick'>,
): WindowSpec {
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
    warmupMs: quick ? 500 : 1500,
    durationMs: (seconds ?? (quick ? 2 : 5)) * 1000,
    payloadBytes: PAYLOAD_BYTES,
    everyLatency: false,
    countSends: false,
  };
}

/** So many publications before a window, with one member at each node: a node that has run for an hour has compiled its code. */
const WARMUP = { topic: `${BENCH_NAMESPACE}.warm`, ratePerSecond: 1000, ms: 4000 };

/** One run, on nodes that are warm. */
export function runWarm(server: ServerUnderTest, pair: number, spec: WindowSpec): Promise<RunResult> {
  const { nodes, workers } = spec;
  return withServer(server, { nodes, workers, keyed: false }, async ({ server: running, swarm }) => {
    const options = { ...spec, keys: 0 };
    const { topic, ratePerSecond, ms } = WARMUP;
    const warmup: Group = { name: 'warmup', topic, members: nodes, ratePerSecond, burst: 1 };
    const [first, ...swarms] = [warmup, ...spec.groups].map((group) => swarm(group, options));
    for (const each of [first!, ...swarms]) await each.connect();
    const warm = { ...spec, groups: [warmup], warmupMs: 0, durationMs: ms };
    await measureWindow({ server: running, swarms: [first!], sequences: new Map() }, warm);
    return { server: server.name, pair, ...(await measureWindow({ server: running, swarms, sequences: new Map() }, spec)) };
  });
}

/** Of one core, while publications came. */
export function coresOf({ cpuSeconds, elapsedMs }: RunResult): number {
  return (cpuSeconds * 1000) / elapsedMs;
}

/** The same of all hubs. */
export function hubCoresOf({ processes, elapsedMs }: RunResult): number {
  const hubs = processes.filter(({ name }) => isHub(name));
  return (hubs.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) * 1000) / elapsedMs;
}

/** Publications a second, as they were: a window ends with its last one. */
export function publishedPerSecond({ groups, elapsedMs }: RunResult): number {
  return groups.reduce((sum, { published }) => sum + published, 0) / (elapsedMs / 1000);
}

/** Frames of a connection a second. */
export function writesOf({ groups, elapsedMs }: RunResult): number {
  return groups.reduce((sum, { frames, members }) => sum + frames / members, 0) / (elapsedMs / 1000);
}
