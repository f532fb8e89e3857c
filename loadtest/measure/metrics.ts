import type { RunResult } from './types.ts';

/** Every figure of a run by name: `cpuPerDeliveryUs`, `p99Ms.probe`, `sendsPerDelivery`, and what a scenario adds. */
export function metricsOf(run: Pick<RunResult, 'deliveries' | 'cpuPerDeliveryUs' | 'groups' | 'sends' | 'extra'>): Record<string, number> {
  const metrics: Record<string, number> = {};
  if (run.deliveries > 0 && run.cpuPerDeliveryUs !== undefined) metrics.cpuPerDeliveryUs = run.cpuPerDeliveryUs;
  for (const { name, latency, delivered } of run.groups) {
    if (delivered === 0) continue;
    metrics[`p50Ms.${name}`] = latency.p50Ms;
    metrics[`p99Ms.${name}`] = latency.p99Ms;
    metrics[`maxMs.${name}`] = latency.maxMs;
  }
  if (run.sends !== undefined) metrics.sendsPerDelivery = run.sends.perDelivery;
  return { ...metrics, ...run.extra };
}
