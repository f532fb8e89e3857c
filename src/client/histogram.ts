/** Buckets per doubling. The bounds of a bucket are 9% apart, so a percentile is at most that much too high. */
const PER_DOUBLING = 8;
/** 0.0625 ms: smaller differences mean nothing over a network. */
const FIRST_POWER = -4;
/** 2^17 ms are two minutes. */
const LAST_POWER = 17;
const BUCKETS = (LAST_POWER - FIRST_POWER) * PER_DOUBLING;

export interface LatencySummary {
  readonly count: number;
  readonly meanMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Number of values up to `upToMs` and above the previous bucket. Empty buckets are left out. */
  readonly buckets: readonly { readonly upToMs: number; readonly count: number }[];
}

/** Counts latencies in buckets of rising width: 168 numbers, however many values are counted. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS + 1);
  #count = 0;
  #sumMs = 0;
  #minMs = Number.POSITIVE_INFINITY;
  #maxMs = 0;

  /** @param valueMs a negative value (the estimated clock may be wrong) counts as zero */
  add(valueMs: number, times: number): void {
    const value = Math.max(0, valueMs);
    const bucket = Math.ceil((Math.log2(value) - FIRST_POWER) * PER_DOUBLING);
    const index = Math.min(BUCKETS, Math.max(0, bucket));
    this.#counts[index] = (this.#counts[index] as number) + times;
    this.#count += times;
    this.#sumMs += value * times;
    this.#minMs = Math.min(this.#minMs, value);
    this.#maxMs = Math.max(this.#maxMs, value);
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = this.#sumMs = this.#maxMs = 0;
    this.#minMs = Number.POSITIVE_INFINITY;
  }

  summary(): LatencySummary {
    const buckets: { upToMs: number; count: number }[] = [];
    for (const [index, count] of this.#counts.entries()) if (count > 0) buckets.push({ upToMs: upperBound(index), count });
    return {
      count: this.#count,
      meanMs: this.#count === 0 ? 0 : this.#sumMs / this.#count,
      minMs: this.#count === 0 ? 0 : this.#minMs,
      maxMs: this.#maxMs,
      p50Ms: this.#percentile(buckets, 0.5),
      p95Ms: this.#percentile(buckets, 0.95),
      p99Ms: this.#percentile(buckets, 0.99),
      buckets,
    };
  }

  #percentile(buckets: readonly { upToMs: number; count: number }[], share: number): number {
    let seen = 0;
    for (const { upToMs, count } of buckets) {
      seen += count;
      if (seen >= this.#count * share) return Math.min(upToMs, this.#maxMs);
    }
    return this.#maxMs;
  }
}

function upperBound(index: number): number {
  return 2 ** (FIRST_POWER + index / PER_DOUBLING);
}
