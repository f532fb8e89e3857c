import type { Watchlist } from '../core/watchlist.ts';
import { comparedWith } from '../measure/beside-itself.ts';
import { runServer } from '../measure/run.ts';
import type { Group, WindowSpec } from '../measure/types.ts';
import { BENCH_NAMESPACE, figureTarget, ratioTarget } from './feeds.ts';
import type { Overrides, Scenario, Target } from './scenario.ts';

interface WatchShape {
  readonly connections: number;
  readonly watch: Watchlist;
  /** Of all topics together. */
  readonly rate: number;
  readonly maxRateHz?: number;
  readonly beside?: readonly Group[];
  readonly weighSubscriptions?: boolean;
}

interface WatchScenario extends WatchShape, Pick<Scenario, 'name' | 'title' | 'describes' | 'targets'> {
  readonly servers?: readonly string[];
  readonly baseline?: string;
  /** Each run is two: W1 of the same server first, then the scenario itself. */
  readonly afterW1?: boolean;
}

/** A node with 250 publications a second runs code that V8 has not compiled for the first 10 s or so: 3 s measured 1.36 times bare uWS' CPU where 20 s measured 1.14. */
const WARMUP_MS = 12_000;

/** JSON clients and NATS core on both sides: nothing but the fan-out differs. */
const SERVERS = ['stentor-nats-json', 'uws-nats'];

function ratio(number: string, metric: string, atMost: number, text: string): Target {
  return ratioTarget(number, metric, atMost, text, SERVERS);
}

function watchScenario(own: WatchScenario): Scenario {
  const { servers = SERVERS, baseline = 'uws-nats', afterW1 = false } = own;
  return {
    ...own,
    servers,
    baseline,
    async run(server, pair, overrides) {
      if (!afterW1) return runServer(server, pair, watchSpec(own, overrides));
      const w1 = await runServer(server, pair, watchSpec(W1, overrides));
      return comparedWith(await runServer(server, pair, watchSpec(own, overrides)), { name: 'W1', run: w1 });
    },
  };
}

/** What is run for a watchlist and what may stand beside it. */
export function watchSpec(
  { connections, watch, rate, maxRateHz, beside = [], weighSubscriptions = false }: WatchShape,
  overrides: Overrides,
): WindowSpec {
  const group: Group = {
    name: 'watch',
    topic: `${BENCH_NAMESPACE}.w`,
    members: overrides.members ?? (overrides.quick ? Math.ceil(connections / 10) : connections),
    ratePerSecond: overrides.rate ?? rate,
    burst: 1,
    watch,
    ...(maxRateHz === undefined ? {} : { maxRateHz }),
  };
  return {
    groups: [group, ...beside],
    nodes: 1,
    workers: overrides.workers ?? 1,
    warmupMs: overrides.quick ? 1000 : WARMUP_MS,
    durationMs: (overrides.seconds ?? (overrides.quick ? 2 : 10)) * 1000,
    payloadBytes: overrides.payloadBytes ?? 100,
    everyLatency: false,
    countSends: overrides.countSends,
    weighSubscriptions,
  };
}

const BIG_TOPIC: Group = { name: 'big', topic: `${BENCH_NAMESPACE}.big`, members: 12_000, ratePerSecond: 50, burst: 1 };
const PROBE: Group = { name: 'probe', topic: `${BENCH_NAMESPACE}.probe`, members: 5, ratePerSecond: 20, burst: 1 };
/** Judged by itself in `watchlist`; others are the same with something changed. */
export const W1: WatchShape = { connections: 4000, watch: { topics: 1000, perConnection: 50 }, rate: 1000 };

/** Of one server, with nothing beside it but its own W1. */
const ALONE = { ...W1, servers: ['stentor-nats-json'], baseline: 'stentor-nats-json', afterW1: true };

function figure(number: string, metric: string, atMost: number, text: string): Target {
  return figureTarget(number, metric, atMost, text, 'stentor-nats-json');
}

/** Many topics on each connection: what market data looks like. */
export const WATCHLIST_SCENARIOS: readonly Scenario[] = [
  watchScenario({
    ...W1,
    name: 'watchlist',
    title: '4,000 connections on 50 of 1,000 topics each, 1,000 updates a second',
    describes: '200,000 deliveries a second, each connection getting 50.',
    servers: [...SERVERS, 'centrifugo'],
    targets: [
      ratio('W1', 'cpuPerDeliveryUs', 0.6, 'CPU per delivery ≤ 0.6 × bare uWS'),
      ratio('W1', 'p99Ms.watch', 1.5, 'p99 ≤ 1.5 × bare uWS'),
    ],
  }),
  watchScenario({
    ...W1,
    name: 'watchlist-4000',
    title: '4,000 connections on 50 of 1,000 topics each, 4,000 updates a second',
    describes: '800,000 deliveries a second.',
    rate: 4000,
    targets: [
      ratio('W2', 'cpuPerDeliveryUs', 0.7, 'CPU per delivery ≤ 0.7 × bare uWS'),
      ratio('W2', 'p99Ms.watch', 1.5, 'p99 ≤ 1.5 × bare uWS'),
    ],
  }),
  watchScenario({
    name: 'watchlist-5',
    title: '4,000 connections on 5 of 1,000 topics each, 1,000 updates a second',
    describes: '20,000 deliveries a second: little to join.',
    connections: 4000,
    watch: { topics: 1000, perConnection: 5 },
    rate: 1000,
    targets: [
      ratio('W3', 'cpuPerDeliveryUs', 1.15, 'CPU per delivery ≤ 1.15 × bare uWS'),
      ratio('W3', 'p99Ms.watch', 1.5, 'p99 ≤ 1.5 × bare uWS'),
    ],
  }),
  watchScenario({
    name: 'watchlist-500',
    title: '2,000 connections on 500 of 10,000 topics each, 10,000 updates a second',
    describes: 'A million deliveries a second.',
    connections: 2000,
    watch: { topics: 10_000, perConnection: 500 },
    rate: 10_000,
    servers: ['stentor-nats-json', 'stentor-nats-ephemeral', 'uws-nats'],
    targets: [ratio('W4', 'cpuPerDeliveryUs', 0.6, 'CPU per delivery ≤ 0.6 × bare uWS')],
  }),
  watchScenario({
    ...ALONE,
    name: 'watchlist-10hz',
    title: 'The watchlist, each connection asking for 10 updates a second at most',
    describes: 'Rate classes of many topics on one connection. Each run is W1 without them first, for comparison.',
    maxRateHz: 10,
    targets: [
      figure('W5', 'cpuPerDeliveryUs.overW1', 1, "CPU per delivery ≤ W1's"),
      figure('W5', 'p99Ms.watch', 150, 'p99 ≤ 150 ms at 10 Hz'),
    ],
  }),
  watchScenario({
    ...ALONE,
    name: 'watchlist-1hz',
    title: 'The watchlist, each connection asking for one update a second at most',
    describes: 'The same, slower.',
    maxRateHz: 1,
    targets: [
      figure('W5', 'cpuPerDeliveryUs.overW1', 1, "CPU per delivery ≤ W1's"),
      figure('W5', 'p99Ms.watch', 1100, 'p99 ≤ 1.1 s at 1 Hz'),
    ],
  }),
  watchScenario({
    ...W1,
    name: 'watchlist-250',
    title: 'The watchlist at 250 updates a second',
    describes: 'The node has time: an update must leave at once.',
    rate: 250,
    targets: [
      ratio('W7', 'cpuPerDeliveryUs', 1.1, 'CPU per delivery ≤ 1.1 × bare uWS'),
      { ...ratio('W7', 'p50Ms.watch', 2, 'p50 ≤ bare uWS + 2 ms'), by: 'difference' },
    ],
  }),
  watchScenario({
    name: 'watchlist-sparse',
    title: '16,000 connections on 20 of 50,000 topics each, 5,000 updates a second',
    describes:
      "Six members a topic: little to share. Memory: growth of the server's private memory from its connections being open to their being subscribed, " +
      'over 320,000; "fed" after the feed. Each the least of ten readings, 5 s.',
    connections: 16_000,
    watch: { topics: 50_000, perConnection: 20 },
    rate: 5000,
    weighSubscriptions: true,
    targets: [
      ratio('W8', 'cpuPerDeliveryUs', 1.15, 'CPU per delivery ≤ 1.15 × bare uWS'),
      figure('W8', 'bytesPerSubscription', 600, 'memory ≤ 600 bytes a subscription'),
    ],
  }),
  watchScenario({
    ...ALONE,
    name: 'watchlist-beside',
    title: 'The watchlist beside a topic of 12,000 at 50 msg/s, and a probe of 5 members',
    describes:
      'Does the big topic hold up the watchlist, and either of them a small one? Each run is W1 without them first, for comparison.',
    beside: [BIG_TOPIC, PROBE],
    targets: [
      figure('W9', 'p99Ms.probe', 20, 'p99 of the 5-member topic ≤ 20 ms'),
      figure('W9', 'p99Ms.watch.overW1', 1.5, "the watchlist's p99 ≤ 1.5 × W1's"),
    ],
  }),
];
