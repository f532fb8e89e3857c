import type { SeriesField } from '../../hub/series/fields.ts';
import type { SeriesAnswer } from '../api/schemas/series.ts';

/** Lines over the same times. */
export interface Lines {
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
}

export interface Line {
  readonly name: string;
  /** Of all nodes; or of the only one. */
  readonly isTotal: boolean;
  readonly values: readonly (number | null)[];
}

type NodeSeries = SeriesAnswer['series'][number];

/** A node samples by its own clock: a point may fall into the interval before or after. */
const CARRIED_MAX = 2;

/**
 * One line for each node, and, with several, one for all: their sum, or the largest. Pure.
 * @param nodeId only this node; empty: all
 */
export function linesOf({ series, intervalMs }: SeriesAnswer, field: SeriesField, combine: 'sum' | 'max', nodeId = ''): Lines {
  const shown = series.filter((one) => one.atMs.length > 0 && (nodeId === '' || one.nodeId === nodeId));
  const slots = shown.flatMap(({ atMs }) => [atMs[0], atMs.at(-1)] as number[]).map((atMs) => Math.round(atMs / intervalMs));
  if (slots.length === 0) return { times: [], lines: [] };
  const first = Math.min(...slots);
  const count = Math.max(...slots) - first + 1;
  const lines = shown.map(
    (one): Line => ({ name: one.nodeId, isTotal: shown.length === 1, values: inSlots(one, field, first, count, intervalMs) }),
  );
  const times = Array.from({ length: count }, (_, slot) => ((first + slot) * intervalMs) / 1000);
  if (lines.length < 2) return { times, lines };
  const values = times.map((_, slot) =>
    together(
      lines.flatMap((line) => line.values[slot] ?? []),
      combine,
    ),
  );
  return { times, lines: [{ name: combine === 'sum' ? 'all nodes' : 'highest', isTotal: true, values }, ...lines] };
}

/** Of a node that has just started: one point has no range of its own, and would be drawn in the middle of days. */
const TIME_RANGE_MIN_S = 300;

/** The times that an axis shows, seconds since 1970. @param first of the points; null: there are none */
export function timeRange(first: number | null, last: number): [number, number] {
  return [Math.min(first ?? last, last - TIME_RANGE_MIN_S), last];
}

/** The last known value of the line for all; null: there is none. */
export function latestOf({ lines }: Lines): number | null {
  const total = lines.find(({ isTotal }) => isTotal);
  return total?.values.findLast((value) => value !== null) ?? null;
}

function inSlots(series: NodeSeries, field: SeriesField, first: number, count: number, intervalMs: number): (number | null)[] {
  const values: (number | null)[] = Array(count).fill(null);
  let last = { slot: Number.NEGATIVE_INFINITY, value: null as number | null };
  for (const [at, atMs] of series.atMs.entries()) {
    const slot = Math.round(atMs / intervalMs) - first;
    if (slot - last.slot <= CARRIED_MAX) values.fill(last.value, last.slot + 1, slot);
    const value = series[field][at] ?? null;
    values[slot] = value;
    last = { slot, value };
  }
  // The others may be one interval ahead.
  if (last.slot < count - 1 && count - 1 - last.slot < CARRIED_MAX) values.fill(last.value, last.slot + 1);
  return values;
}

function together(values: readonly number[], combine: 'sum' | 'max'): number | null {
  if (values.length === 0) return null;
  return combine === 'sum' ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
}
