export interface BackoffOptions {
  /** First step; doubles with each attempt. */
  readonly baseMs: number;
  /** Ceiling of the doubling, the random part included. */
  readonly maxMs: number;
  /** Up to so much is added at random: clients that lost one node together do not come back together. */
  readonly jitterMs: number;
  /** A connection that lasted so long proves the way good: the next loss begins with the first step again. */
  readonly stableAfterMs: number;
}

/** 2^31 ms is above any ceiling. */
const ATTEMPTS_MAX = 31;

/** `min(max, base · 2^attempt + random(0, jitter))`. @param random in [0, 1) */
export function backoffDelayMs(attempt: number, { baseMs, maxMs, jitterMs }: BackoffOptions, random: number): number {
  // The exponent is bounded, since 0 · ∞ is no number.
  return Math.min(maxMs, baseMs * 2 ** Math.min(attempt, ATTEMPTS_MAX) + random * jitterMs);
}
