import type { Counter, Histogram } from 'prom-client';

/** The value of a counter by the values of one label, summed over its other labels. Without a label: the total, under ''. */
export async function sumBy<T extends string>(counter: Counter<T>, label?: T): Promise<Record<string, number>> {
  const sums = new Map<string, number>();
  for (const { value, labels } of (await counter.get()).values) {
    const key = label === undefined ? '' : String(labels[label] ?? '');
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return Object.fromEntries(sums);
}

/** The counts of a histogram without labels: up to each bound, rising, and of all. */
export async function bucketCounts(histogram: Histogram): Promise<number[]> {
  const { values } = await histogram.get();
  return values.filter(({ metricName }) => metricName?.endsWith('_bucket')).map(({ value }) => value);
}
