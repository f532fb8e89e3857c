import { pairwiseRatios, type Spread, spread } from '../core/stats.ts';
import type { Scenario, Target } from '../scenarios/scenario.ts';
import { metricsOf } from './metrics.ts';
import type { RunResult } from './types.ts';

export interface ServerSummary {
  readonly server: string;
  readonly validRuns: number;
  readonly invalidRuns: number;
  readonly values: Readonly<Record<string, Spread>>;
  /** Pairwise, against the scenario's baseline. */
  readonly ratios: Readonly<Record<string, Spread>>;
}

export interface Verdict {
  readonly target: Target;
  readonly outcome: 'met' | 'missed' | 'not measured';
  readonly measured?: Spread;
  /** Of a target about CPU: what latency was paid for it, by server. */
  readonly beside?: readonly LatencySummary[];
}

/** Medians over the pairs, of a run's first group. */
export interface LatencySummary {
  readonly server: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

type Scenarioish = Pick<Scenario, 'baseline' | 'targets'>;

export function summarize(scenario: Scenarioish, runs: readonly RunResult[]): { servers: ServerSummary[]; verdicts: Verdict[] } {
  const names = [...new Set(runs.map((run) => run.server))];
  const servers = names.map((server) => summarizeServer(server, scenario.baseline, runs));
  return { servers, verdicts: scenario.targets.map((target) => judge(target, runs)) };
}

function summarizeServer(server: string, baseline: string, runs: readonly RunResult[]): ServerSummary {
  const own = runs.filter((run) => run.server === server);
  const valid = own.filter((run) => run.invalid === '');
  const metrics = [...new Set(valid.flatMap((run) => Object.keys(metricsOf(run))))];
  const values: Record<string, Spread> = {};
  const ratios: Record<string, Spread> = {};
  for (const metric of metrics) {
    const byPair = valuesByPair(runs, server, metric);
    values[metric] = spread([...byPair.values()]);
    const pairs = server === baseline ? [] : pairwiseRatios(byPair, valuesByPair(runs, baseline, metric));
    if (pairs.length > 0) ratios[metric] = spread(pairs);
  }
  return { server, validRuns: valid.length, invalidRuns: own.length - valid.length, values, ratios };
}

/** Pair → value, of valid runs only. */
function valuesByPair(runs: readonly RunResult[], server: string, metric: string): Map<number, number> {
  const values = new Map<number, number>();
  for (const run of runs) {
    const value = metricsOf(run)[metric];
    if (run.server === server && run.invalid === '' && value !== undefined) values.set(run.pair, value);
  }
  return values;
}

function judge(target: Target, runs: readonly RunResult[]): Verdict {
  const measured = measure(target, runs);
  if (measured.length === 0) return { target, outcome: 'not measured' };
  const figure = spread(measured);
  const met = 'atMost' in target.bound ? figure.median <= target.bound.atMost : figure.median >= target.bound.atLeast;
  return { target, outcome: met ? 'met' : 'missed', measured: figure, ...latenciesBeside(target, runs) };
}

/** CPU can always be saved by waiting: a figure of it says little without the latency. */
function latenciesBeside({ metric, server, against }: Target, runs: readonly RunResult[]): Pick<Verdict, 'beside'> {
  if (!/cpu/i.test(metric)) return {};
  const beside = [server, ...against].flatMap((name): LatencySummary[] => {
    const groups = runs.flatMap((run) => (run.server === name && run.invalid === '' ? run.groups.slice(0, 1) : []));
    if (groups.length === 0) return [];
    const median = (values: number[]) => spread(values).median;
    return [
      {
        server: name,
        p50Ms: median(groups.map(({ latency }) => latency.p50Ms)),
        p99Ms: median(groups.map(({ latency }) => latency.p99Ms)),
      },
    ];
  });
  return beside.length === 0 ? {} : { beside };
}

function measure({ server, metric, against, by = 'ratio' }: Target, runs: readonly RunResult[]): number[] {
  const own = valuesByPair(runs, server, metric);
  if (against.length === 0) return [...own.values()];
  const others = against.map((name) => valuesByPair(runs, name, metric));
  return [...own].flatMap(([pair, value]) => {
    const best = Math.min(...others.map((values) => values.get(pair) ?? Number.POSITIVE_INFINITY));
    if (!Number.isFinite(best) || (by === 'ratio' && best === 0)) return [];
    return [by === 'ratio' ? value / best : value - best];
  });
}
