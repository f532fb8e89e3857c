import type { Target } from '../scenarios/scenario.ts';
import type { RunResult } from './types.ts';

/** Of a core. Above it the bare library batches because it is late, and its cost is no measure any more: the pair is repeated at a lower rate, and both are quoted. */
export const BASELINE_SHARE_MAX = 0.6;
/** Cost falls more slowly than the rate, since less is joined: half the rate would rarely do. */
const RATE_DIVISOR = 4;

interface Baselined {
  readonly name: string;
  readonly baseline: string;
  readonly targets: readonly Target[];
  readonly runs: readonly RunResult[];
}

/**
 * What the bare library took of a core, at most, where that was too much, and the rate to repeat the scenario at. Undefined: it had time, or nothing is judged
 * by its cost.
 */
export function busyBaseline({ baseline, targets, runs }: Baselined): { readonly share: number; readonly lowerRate: number } | undefined {
  const isJudged = targets.some(({ metric, against }) => metric === 'cpuPerDeliveryUs' && against.includes(baseline));
  if (!isBareUws(baseline) || !isJudged) return undefined;
  const own = runs.filter((run) => run.server === baseline && run.invalid === '');
  const share = Math.max(0, ...own.map((run) => run.serverCpuShare));
  const rate = own[0]?.groups[0]?.ratePerSecond;
  if (share <= BASELINE_SHARE_MAX || rate === undefined) return undefined;
  return { share, lowerRate: rate / RATE_DIVISOR };
}

/** Empty where the bare library had time. */
export function describeBusyBaseline(result: Baselined): string {
  const busy = busyBaseline(result);
  if (busy === undefined) return '';
  const percent = Math.round(busy.share * 100);
  return `${result.baseline} used ${percent}% of a core: repeat with -s ${result.name} --rate ${busy.lowerRate}, or --repeat-busy, and quote both`;
}

function isBareUws(server: string): boolean {
  return server === 'uws' || server.startsWith('uws-');
}
