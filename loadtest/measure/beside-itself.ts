import { metricsOf } from './metrics.ts';
import type { RunResult } from './types.ts';

/** Of what a scenario compares with the same server's run without it. */
export interface Without {
  /** As it is called in the names of metrics: `W1`, `Calm`. */
  readonly name: string;
  readonly run: Pick<RunResult, 'invalid' | 'deliveries' | 'cpuPerDeliveryUs' | 'groups'>;
}

const COMPARED = ['cpuPerDeliveryUs', 'p50Ms', 'p99Ms'];

/**
 * A run that has, beside its own figures, those of the same server without what this run is about: `p99Ms.watch.W1`, and own over other as
 * `p99Ms.watch.overW1`. It counts only if both do.
 */
export function comparedWith<R extends Omit<RunResult, 'server' | 'pair'>>(own: R, { name, run: other }: Without): R {
  const extra: Record<string, number> = { ...own.extra };
  const ownMetrics = metricsOf(own);
  for (const [metric, value] of Object.entries(metricsOf(other))) {
    if (!COMPARED.includes(metric.split('.')[0]!)) continue;
    extra[`${metric}.${name}`] = value;
    const ownValue = ownMetrics[metric];
    if (ownValue !== undefined && value > 0) extra[`${metric}.over${name}`] = ownValue / value;
  }
  const invalid = [own.invalid, other.invalid && `${name}: ${other.invalid}`].filter(Boolean).join('; ');
  return { ...own, extra, invalid };
}
