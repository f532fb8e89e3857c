import type { RunResult } from './types.ts';

/** A run that delivers nothing worth counting, and has figures of its own. */
export function emptyRun(server: string, pair: number, extra: Readonly<Record<string, number>>, invalid = ''): RunResult {
  return {
    server,
    pair,
    invalid,
    groups: [],
    deliveries: 0,
    cpuSeconds: 0,
    cpuPerDeliveryUs: undefined,
    elapsedMs: 0,
    serverCpuShare: 0,
    swarmCpuShare: 0,
    othersCpuShare: 0,
    processes: [],
    feedLatenessMaxMs: 0,
    residentMiB: 0,
    extra,
  };
}
