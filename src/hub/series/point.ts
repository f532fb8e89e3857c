import { PUBLISH_TO_SOCKET_BOUNDS_MS } from '../../telemetry/publish-to-socket-bounds.ts';
import type { Count, NodeFigures } from '../report-types.ts';
import type { SeriesPoint } from './fields.ts';

/** A node at one time. */
export interface Sample {
  /** Milliseconds, from any origin. */
  readonly atMs: number;
  readonly figures: NodeFigures;
}

/** The figures between two samples. Rates are null if a worker has restarted, or did not answer. Pure. */
export function pointBetween(before: Sample | undefined, { atMs, figures }: Sample): SeriesPoint {
  const { workers, processes, totals, errors } = figures;
  const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1000;
  const isSame = before !== undefined && seconds > 0 && String(pidsOf(before.figures)) === String(pidsOf(figures));
  const since = (now: number, earlier: (figures: NodeFigures) => number) => (isSame ? now - earlier(before.figures) : null);
  const perSecond = (now: number, earlier: (figures: NodeFigures) => number) => {
    const more = since(now, earlier);
    return more === null || more < 0 ? null : more / seconds;
  };
  const cpuMsPerSecond = perSecond(processes.cpuMs, (earlier) => earlier.processes.cpuMs);
  return {
    connections: sum(workers.map(({ connections }) => connections)),
    lagging: sum(workers.map(({ lagging }) => lagging)),
    deliveriesPerSecond: perSecond(totals.deliveries, (earlier) => earlier.totals.deliveries),
    publicationsPerSecond: perSecond(totals.publicationsIn, (earlier) => earlier.totals.publicationsIn),
    errorsPerSecond: perSecond(errorsIn(errors), (earlier) => errorsIn(earlier.errors)),
    publishToSocketP99Ms: isSame ? p99Between(before.figures.publishToSocket, figures.publishToSocket) : null,
    memoryBytes: processes.memoryBytes,
    cpuCores: cpuMsPerSecond === null ? null : cpuMsPerSecond / 1000,
    loopLagMs: processes.loopLagMs,
  };
}

/**
 * The 99th percentile of what was counted between two readings of a histogram.
 * @param before counts up to each bound, and of all; the same after
 * @returns null: nothing was counted
 */
export function p99Between(before: readonly number[], after: readonly number[]): number | null {
  const counts = after.map((count, at) => count - (before[at] ?? 0));
  const all = counts.at(-1) ?? 0;
  if (all <= 0 || counts.some((count) => count < 0)) return null;
  const at = counts.findIndex((count) => count >= all * 0.99);
  const upper = PUBLISH_TO_SOCKET_BOUNDS_MS[at];
  // Beyond the last bound nothing more is known.
  if (upper === undefined) return PUBLISH_TO_SOCKET_BOUNDS_MS.at(-1) ?? null;
  const lower = at === 0 ? 0 : (PUBLISH_TO_SOCKET_BOUNDS_MS[at - 1] ?? 0);
  const below = at === 0 ? 0 : (counts[at - 1] ?? 0);
  const within = (counts[at] ?? 0) - below;
  return lower + (upper - lower) * ((all * 0.99 - below) / within);
}

/** What an operator should look at. A connection that its client closed is none. */
function errorsIn({ sent, refused, skipped }: NodeFigures['errors']): number {
  return sum([...sent, ...refused, ...skipped].map(({ count }: Count) => count));
}

function pidsOf({ workers }: NodeFigures): number[] {
  return workers.map(({ pid }) => pid);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, one) => total + one, 0);
}
