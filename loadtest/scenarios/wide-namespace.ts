import { runServer } from '../measure/run.ts';
import { BENCH_NAMESPACE } from './feeds.ts';
import { hubCoresOf } from './loads.ts';
import type { Scenario } from './scenario.ts';

/** Until a node asks for its topics by name, and has compiled what it runs. */
const WARMUP_MS = 8000;

export const wideNamespace: Scenario = {
  name: 'wide-namespace',
  title: 'A namespace of 10,000 topics with 20,000 publications a second, of which a node wants 5%',
  describes:
    '50 connections on 10 topics each. The node asks NATS for its topics by name, or follows all (`stentor-nats-whole`). `brokerCores` is the CPU of NATS, of one core; it stores everything in both.',
  servers: ['stentor-nats', 'stentor-nats-whole'],
  baseline: 'stentor-nats-whole',
  targets: [],
  async run(server, pair, overrides) {
    const group = {
      name: 'wanted',
      topic: `${BENCH_NAMESPACE}.w`,
      members: 50,
      ratePerSecond: overrides.rate ?? (overrides.quick ? 4000 : 20_000),
      burst: 1,
      watch: { topics: 10_000, perConnection: 10 },
    };
    const run = await runServer(server, pair, {
      groups: [group],
      nodes: 1,
      workers: 1,
      warmupMs: WARMUP_MS,
      durationMs: (overrides.seconds ?? 10) * 1000,
      payloadBytes: overrides.payloadBytes ?? 100,
      everyLatency: false,
      countSends: false,
    });
    return { ...run, cpuPerDeliveryUs: undefined, extra: { ...run.extra, hubCores: hubCoresOf(run) } };
  },
};
