import { build, decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { Latency } from './types.ts';

const CURVE_PERCENTILES = [0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100];

/** Adds up the histograms that the swarm's processes sent. */
export function mergeHistograms(encoded: readonly string[]): Histogram {
  const total = build({ lowestDiscernibleValue: 1, highestTrackableValue: 3_600e6, numberOfSignificantValueDigits: 2 });
  for (const text of encoded) total.add(decodeFromCompressedBase64(text) as never);
  return total;
}

export function toLatency(histogram: Histogram): Latency {
  const ms = (percentile: number) => Math.round(histogram.getValueAtPercentile(percentile)) / 1000;
  return {
    p50Ms: ms(50),
    p90Ms: ms(90),
    p99Ms: ms(99),
    p999Ms: ms(99.9),
    maxMs: histogram.maxValue / 1000,
    curve: CURVE_PERCENTILES.map((percentile) => [percentile, ms(percentile)] as const),
  };
}
