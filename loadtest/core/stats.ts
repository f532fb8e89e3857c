export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** @throws RangeError for no values: a figure without a measurement must not look like one */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values to take a median of');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]!, count: sorted.length };
}

/** Ratios of runs that belong to the same pair; a pair with an invalid half does not count. */
export function pairwiseRatios(values: ReadonlyMap<number, number>, baseline: ReadonlyMap<number, number>): number[] {
  return [...values].flatMap(([pair, value]) => {
    const base = baseline.get(pair);
    return base === undefined || base === 0 ? [] : [value / base];
  });
}
