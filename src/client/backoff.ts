export interface BackoffOptions {
  /** The first pause. It doubles with each attempt. */
  readonly baseMs: number;
  /** The maximum of the doubled pause, without the random part. */
  readonly maxMs: number;
  /** Up to this much is added at random, so that clients that lost one node at the same time do not reconnect at the same time. */
  readonly jitterMs: number;
  /** After a connection that lasted this long, the next loss starts with the first pause again. */
  readonly stableAfterMs: number;
}

/** Limit of the exponent: 2^31 ms exceeds any maximum. */
const ATTEMPTS_MAX = 31;

/** `min(max, base · 2^attempt + random(0, jitter))`. @param random in [0, 1) */
export function backoffDelayMs(attempt: number, { baseMs, maxMs, jitterMs }: BackoffOptions, random: number): number {
  // The exponent is limited, because 0 · ∞ is NaN.
  return Math.min(maxMs, baseMs * 2 ** Math.min(attempt, ATTEMPTS_MAX) + random * jitterMs);
}
