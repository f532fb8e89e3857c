import type { ProcessReport, WorkerSummary, WorkerTotals } from '../link/reports.ts';
import type { Count, LaggingFigures, NodeFigures, ProcessTotals } from './report-types.ts';
import type { WorkerAnswers } from './worker-reports.ts';

/** What the hub itself counts. */
export interface HubTotals {
  /** Topics open on this node. */
  readonly topics: number;
  readonly publicationsIn: number;
  /** By reason. */
  readonly skipped: Readonly<Record<string, number>>;
  /** The hub's own process. */
  readonly process: ProcessReport;
}

/** The workers' reports and the hub's own counts, combined for the node. */
export function nodeFigures({ reports, silent }: WorkerAnswers, { topics, publicationsIn, skipped, process }: HubTotals): NodeFigures {
  const lagging: LaggingFigures[] = reports.flatMap(({ index, longestLagging }) =>
    longestLagging.map((one) => ({ worker: index, ...one })),
  );
  const sum = (field: 'deliveries' | 'sentBytes' | 'messagesIn') => reports.reduce((total, { totals }) => total + totals[field], 0);
  const counts = (field: 'errors' | 'closed' | 'refused') => toCounts(reports.map(({ totals }: { totals: WorkerTotals }) => totals[field]));
  return {
    workers: reports.map(({ index, pid, connections, connectionsMax, subscriptions, lagging: laggingNow }) => {
      return { index, pid, connections, connectionsMax, subscriptions, lagging: laggingNow };
    }),
    workersSilent: silent,
    topics,
    lagging: lagging.sort((a, b) => b.laggingMs - a.laggingMs),
    totals: { publicationsIn, deliveries: sum('deliveries'), sentBytes: sum('sentBytes'), messagesIn: sum('messagesIn') },
    errors: { sent: counts('errors'), closed: counts('closed'), refused: counts('refused'), skipped: toCounts([skipped]) },
    processes: together([process, ...reports.map((report) => report.process)]),
    publishToSocket: sumOf(reports.map(({ totals }) => totals.publishToSocket)),
  };
}

/** What a node tells the others about its workers. */
export function summaryOf(workers: readonly WorkerSummary[]): WorkerSummary & { readonly workers: number } {
  const sum = (field: keyof WorkerSummary) => workers.reduce((total, worker) => total + worker[field], 0);
  return {
    workers: workers.length,
    connections: sum('connections'),
    connectionsMax: sum('connectionsMax'),
    subscriptions: sum('subscriptions'),
    lagging: sum('lagging'),
    deliveries: sum('deliveries'),
  };
}

function toCounts(maps: readonly Readonly<Record<string, number>>[]): Count[] {
  const sums = new Map<string, number>();
  for (const map of maps) for (const [code, count] of Object.entries(map)) sums.set(code, (sums.get(code) ?? 0) + count);
  return [...sums].map(([code, count]) => ({ code, count })).sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1));
}

/** With `workers: 0` hub and worker are one process, which counts once. */
function together(processes: readonly ProcessReport[]): ProcessTotals {
  const each = [...new Map(processes.map((one) => [one.pid, one])).values()];
  return {
    memoryBytes: each.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    cpuMs: each.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    loopLagMs: Math.max(...each.map(({ loopLagMs }) => loopLagMs)),
  };
}

/** Adds columns. */
function sumOf(rows: readonly (readonly number[])[]): number[] {
  return (rows[0] ?? []).map((_, at) => rows.reduce((sum, row) => sum + (row[at] ?? 0), 0));
}
