import { Histogram } from '../client/histogram.ts';
import type { Tally } from './messages.ts';
import type { Published } from './publisher.ts';

/** What was asked of the node, and what is good enough. */
export interface Goals {
  readonly connections: number;
  readonly publications: number;
  readonly perSecond: number;
  readonly p99MaxMs: number;
}

export interface BenchResult {
  readonly connections: {
    readonly wanted: number;
    readonly ready: number;
    readonly openedInMs: number;
    readonly closed: number;
    readonly refusal: string;
  };
  readonly publications: {
    readonly wanted: number;
    readonly stored: number;
    readonly refused: Readonly<Record<string, number>>;
    readonly perSecond: number;
  };
  readonly deliveries: {
    readonly expected: number;
    readonly delivered: number;
    readonly skipped: number;
    readonly repeated: number;
    readonly clientsBehind: number;
    readonly perSecond: number;
  };
  /** From the time at which a publication was due to its arrival at a client. Undefined: nothing arrived. */
  readonly latency: { readonly p50Ms: number; readonly p95Ms: number; readonly p99Ms: number; readonly maxMs: number } | undefined;
  /** Of one core, by the busiest process of clients. */
  readonly clientCpuShare: number;
  readonly verdict: 'good' | 'bad';
  /** Why it is bad, and what may be wrong with the measurement. */
  readonly reasons: readonly string[];
}

export interface Measured {
  readonly ready: number;
  readonly openedInMs: number;
  readonly published: Published;
  readonly tallies: readonly Tally[];
  readonly cpuShares: readonly number[];
}

/** Processes that use more than this of a core measure themselves. */
const CPU_SHARE_MAX = 0.85;
/** Of the rate that was asked for. */
const RATE_SHARE_MIN = 0.95;

/** Pure. */
export function judge(goals: Goals, { ready, openedInMs, published, tallies, cpuShares }: Measured): BenchResult {
  const sum = (field: 'delivered' | 'skipped' | 'repeated' | 'behind' | 'closed') =>
    tallies.reduce((total, tally) => total + tally[field], 0);
  const refusal = tallies.map((tally) => tally.refusal).find((text) => text !== '') ?? '';
  const refused = Object.fromEntries(published.refused);
  const seconds = published.elapsedMs / 1000;
  const result = {
    connections: { wanted: goals.connections, ready, openedInMs, closed: sum('closed'), refusal },
    publications: { wanted: goals.publications, stored: published.count, refused, perSecond: published.count / seconds },
    deliveries: {
      expected: ready * published.count,
      delivered: sum('delivered'),
      skipped: sum('skipped'),
      repeated: sum('repeated'),
      clientsBehind: sum('behind'),
      perSecond: sum('delivered') / seconds,
    },
    latency: latencyOf(tallies),
    clientCpuShare: Math.max(0, ...cpuShares),
  };
  const bad = badIn(result, goals);
  const notes =
    result.latency !== undefined && result.clientCpuShare > CPU_SHARE_MAX
      ? [
          `the clients of the bench used ${Math.round(result.clientCpuShare * 100)}% of a core: the latencies are partly theirs. Use more --processes, or another machine`,
        ]
      : [];
  return { ...result, verdict: bad.length === 0 ? 'good' : 'bad', reasons: [...bad, ...notes] };
}

function badIn({ connections, publications, deliveries, latency }: Omit<BenchResult, 'verdict' | 'reasons'>, goals: Goals): string[] {
  const { wanted, ready, refusal, closed } = connections;
  const why = refusal === '' ? '' : `: ${refusal}`;
  // The rest follows from that.
  if (ready === 0) return [`no connection could be opened${why}`];
  const refused = Object.entries(publications.refused).map(([code, count]) => `${count} ${code}`);
  const behindRate = publications.stored < goals.publications || publications.perSecond < goals.perSecond * RATE_SHARE_MIN;
  return [
    ...(ready < wanted ? [`only ${ready} of ${wanted} connections could be opened${why}`] : []),
    ...(ready === wanted && closed > 0 ? [`${closed} connections were closed${why}`] : []),
    ...(refused.length > 0 ? [`publications were refused: ${refused.join(', ')}`] : []),
    ...(behindRate ? [`${publications.perSecond.toFixed(1)} publications/s were stored instead of ${goals.perSecond}`] : []),
    ...(deliveries.skipped > 0 || deliveries.clientsBehind > 0
      ? [
          `${deliveries.expected - deliveries.delivered} deliveries are missing; ${deliveries.clientsBehind} clients have not got the last publication`,
        ]
      : []),
    ...(deliveries.repeated > 0 ? [`${deliveries.repeated} deliveries came twice or out of order`] : []),
    ...(latency === undefined ? ['nothing was delivered'] : []),
    ...(latency !== undefined && latency.p99Ms > goals.p99MaxMs
      ? [`p99 is ${Math.round(latency.p99Ms)} ms, more than ${goals.p99MaxMs} ms`]
      : []),
  ];
}

/** From the bounds of buckets: at most 9% too high. */
function latencyOf(tallies: readonly Tally[]): BenchResult['latency'] {
  const all = new Histogram();
  for (const { buckets } of tallies) for (const { upToMs, count } of buckets) all.add(upToMs, count);
  const { count, p50Ms, p95Ms, p99Ms } = all.summary();
  const maxMs = Math.max(...tallies.map((tally) => tally.maxMs));
  const atMost = (bound: number) => Math.min(bound, maxMs);
  return count === 0 ? undefined : { p50Ms: atMost(p50Ms), p95Ms: atMost(p95Ms), p99Ms: atMost(p99Ms), maxMs };
}
