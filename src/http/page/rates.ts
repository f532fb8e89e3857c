import type { NodeErrors, NodeTotals } from '../../hub/report-types.ts';
import type { NodeAnswer } from '../api/schemas/nodes.ts';

/** One sample of the node. */
export interface Look {
  readonly atMs: number;
  readonly node: NodeAnswer;
}

/**
 * Events per second between two samples. The counters of a restarted worker start at 0, and a worker that does not answer is missing from the sums. Then there
 * is no rate for that interval.
 */
export function ratesBetween(before: Look | undefined, after: Look): NodeTotals | undefined {
  if (before === undefined || after.atMs <= before.atMs || before.node.workers.length !== after.node.workers.length) return undefined;
  const seconds = (after.atMs - before.atMs) / 1000;
  const rate = (field: keyof NodeTotals) => (after.node.totals[field] - before.node.totals[field]) / seconds;
  const rates = {
    publicationsIn: rate('publicationsIn'),
    deliveries: rate('deliveries'),
    sentBytes: rate('sentBytes'),
    messagesIn: rate('messagesIn'),
  };
  return Object.values(rates).some((value) => value < 0) ? undefined : rates;
}

export interface ErrorLine {
  readonly kind: keyof NodeErrors;
  readonly code: string;
  readonly count: number;
  /** The increase since the first sample. */
  readonly since: number;
}

/** All errors; those that happen now come first. */
export function errorLines(first: NodeErrors, now: NodeErrors): ErrorLine[] {
  const lines = (Object.keys(now) as (keyof NodeErrors)[]).flatMap((kind) =>
    now[kind].map(({ code, count }): ErrorLine => {
      const before = first[kind].find((one) => one.code === code)?.count ?? 0;
      return { kind, code, count, since: Math.max(0, count - before) };
    }),
  );
  return lines.sort((a, b) => b.since - a.since || b.count - a.count);
}
