import { runServer } from '../measure/run.ts';
import type { Group, WindowSpec } from '../measure/types.ts';
import type { Overrides, Scenario, Target } from './scenario.ts';

/** The namespace of every topic here; Stentor's is configured by servers/stentor.ts. */
export const BENCH_NAMESPACE = 'bench';

interface FeedScenario extends Omit<Scenario, 'run'> {
  readonly members: number;
  readonly rate: number;
  readonly burst?: number;
  readonly probe?: { readonly members: number; readonly rate: number };
  /** Of the topic; default: as of the probe. */
  readonly payloadBytes?: number;
  readonly nodes?: number;
  readonly seconds: number;
  readonly warmupMs?: number;
  readonly warmupRate?: number;
  readonly everyLatency?: boolean;
}

const PAYLOAD_BYTES = 100;
/** A quick run has a fifth of the members and a few seconds. */
const QUICK = { shrink: 5, seconds: 2, warmupMs: 500 };

export function feedScenario(own: FeedScenario): Scenario {
  return { ...own, run: (server, pair, overrides) => runServer(server, pair, toSpec(own, overrides)) };
}

function toSpec(own: FeedScenario, overrides: Overrides): WindowSpec {
  const members = overrides.members ?? (overrides.quick ? Math.ceil(own.members / QUICK.shrink) : own.members);
  const rate = overrides.rate ?? own.rate;
  const name = own.probe === undefined ? 'all' : 'big';
  const groups: Group[] = [{ name, topic: `${BENCH_NAMESPACE}.big`, members, ratePerSecond: rate, burst: own.burst ?? 1 }];
  if (own.probe !== undefined) {
    const { members: probes, rate: ratePerSecond } = own.probe;
    groups.push({
      name: 'probe',
      topic: `${BENCH_NAMESPACE}.probe`,
      members: probes,
      ratePerSecond,
      burst: 1,
      payloadBytes: PAYLOAD_BYTES,
    });
  }
  return {
    groups,
    nodes: own.nodes ?? 1,
    workers: overrides.workers ?? 1,
    ...(own.warmupRate === undefined || overrides.quick ? {} : { warmupRate: own.warmupRate }),
    warmupMs: overrides.quick ? QUICK.warmupMs : (own.warmupMs ?? 2000),
    durationMs: (overrides.seconds ?? (overrides.quick ? QUICK.seconds : own.seconds)) * 1000,
    payloadBytes: overrides.payloadBytes ?? own.payloadBytes ?? PAYLOAD_BYTES,
    everyLatency: own.everyLatency ?? false,
    countSends: overrides.countSends,
    ...(overrides.itemsPerSend === undefined ? {} : { itemsPerSend: overrides.itemsPerSend }),
  };
}

/** The usual kind of target: a figure of Stentor's over the same figure of the bare library's, pair by pair. */
export function ratioTarget(number: string, metric: string, atMost: number, text: string, servers = ['stentor', 'uws']): Target {
  return { number, server: servers[0]!, metric, against: servers.slice(1), bound: { atMost }, text };
}

export function figureTarget(number: string, metric: string, atMost: number, text: string, server = 'stentor'): Target {
  return { number, server, metric, against: [], bound: { atMost }, text };
}
