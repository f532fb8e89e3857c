import type { Watchlist } from '../core/watchlist.ts';
import { runServer } from '../measure/run.ts';
import type { Group } from '../measure/types.ts';
import { BENCH_NAMESPACE, figureTarget, ratioTarget } from './feeds.ts';
import type { Scenario, Target } from './scenario.ts';

interface WatchScenario extends Pick<Scenario, 'name' | 'title' | 'describes' | 'targets'> {
  readonly connections: number;
  readonly watch: Watchlist;
  /** Of all topics together. */
  readonly rate: number;
  readonly maxRateHz?: number;
  readonly beside?: readonly Group[];
  readonly servers?: readonly string[];
}

/** JSON clients and NATS core on both sides: nothing but the fan-out differs. */
const SERVERS = ['stentor-nats-json', 'uws-nats'];

function ratio(number: string, metric: string, atMost: number, text: string): Target {
  return ratioTarget(number, metric, atMost, text, SERVERS);
}

function watchScenario({ connections, watch, rate, maxRateHz, beside = [], servers = SERVERS, ...own }: WatchScenario): Scenario {
  return {
    ...own,
    servers,
    baseline: 'uws-nats',
    run(server, pair, overrides) {
      const members = overrides.members ?? (overrides.quick ? Math.ceil(connections / 10) : connections);
      const group: Group = {
        name: 'watch',
        topic: `${BENCH_NAMESPACE}.w`,
        members,
        ratePerSecond: overrides.rate ?? rate,
        burst: 1,
        watch,
        ...(maxRateHz === undefined ? {} : { maxRateHz }),
      };
      return runServer(server, pair, {
        groups: [group, ...beside],
        nodes: 1,
        workers: overrides.workers ?? 1,
        warmupMs: overrides.quick ? 1000 : 3000,
        durationMs: (overrides.seconds ?? (overrides.quick ? 2 : 10)) * 1000,
        payloadBytes: overrides.payloadBytes ?? 100,
        everyLatency: false,
        countSends: overrides.countSends,
      });
    },
  };
}

const BIG_TOPIC: Group = { name: 'big', topic: `${BENCH_NAMESPACE}.big`, members: 12_000, ratePerSecond: 50, burst: 1 };
const PROBE: Group = { name: 'probe', topic: `${BENCH_NAMESPACE}.probe`, members: 5, ratePerSecond: 20, burst: 1 };
const W1 = { connections: 4000, watch: { topics: 1000, perConnection: 50 } };

/** Many topics on each connection: what market data looks like. */
export const WATCHLIST_SCENARIOS: readonly Scenario[] = [
  watchScenario({
    ...W1,
    name: 'watchlist',
    title: '4,000 connections on 50 of 1,000 topics each, 1,000 updates a second',
    describes: '200,000 deliveries a second, each connection getting 50.',
    rate: 1000,
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
    ...W1,
    name: 'watchlist-10hz',
    title: 'The watchlist, each connection asking for 10 updates a second at most',
    describes: 'Rate classes of many topics on one connection.',
    rate: 1000,
    maxRateHz: 10,
    servers: ['stentor-nats-json'],
    targets: [figureTarget('W5', 'p99Ms.watch', 150, 'p99 ≤ 150 ms at 10 Hz', 'stentor-nats-json')],
  }),
  watchScenario({
    ...W1,
    name: 'watchlist-1hz',
    title: 'The watchlist, each connection asking for one update a second at most',
    describes: 'The same, slower.',
    rate: 1000,
    maxRateHz: 1,
    servers: ['stentor-nats-json'],
    targets: [figureTarget('W5', 'p99Ms.watch', 1100, 'p99 ≤ 1.1 s at 1 Hz', 'stentor-nats-json')],
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
    describes: 'Six members a topic: little to share.',
    connections: 16_000,
    watch: { topics: 50_000, perConnection: 20 },
    rate: 5000,
    targets: [ratio('W8', 'cpuPerDeliveryUs', 1.15, 'CPU per delivery ≤ 1.15 × bare uWS')],
  }),
  watchScenario({
    ...W1,
    name: 'watchlist-beside',
    title: 'The watchlist beside a topic of 12,000 at 50 msg/s, and a probe of 5 members',
    describes: 'Does the big topic hold up the watchlist, and either of them a small one?',
    rate: 1000,
    beside: [BIG_TOPIC, PROBE],
    servers: ['stentor-nats-json'],
    targets: [figureTarget('W9', 'p99Ms.probe', 20, 'p99 of the 5-member topic ≤ 20 ms', 'stentor-nats-json')],
  }),
];
