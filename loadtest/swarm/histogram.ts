import { build, type Histogram } from 'hdr-histogram-js';

const LATENCY_MAX_US = 3_600e6;

export function newHistogram(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: LATENCY_MAX_US, numberOfSignificantValueDigits: 2, bitBucketSize: 32 });
}
