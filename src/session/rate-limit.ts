/** The state of a token bucket; two fields of the limited object, so that a limit needs no object. */
export interface Bucket {
  rateTokens: number;
  rateAtMs: number;
}

/**
 * Takes one token, even if there is none: a client above the rate goes into debt, and must wait until it is paid. The bucket has twice the rate.
 * @returns 0 if there was one; otherwise the milliseconds until the debt is paid; `flood` if it is more than twice the rate
 */
export function oweToken(bucket: Bucket, perSecond: number, nowMs: number): number | 'flood' {
  // A wall clock that steps back gives nothing and takes nothing.
  const elapsedMs = Math.max(0, nowMs - bucket.rateAtMs);
  bucket.rateTokens = Math.min(perSecond * 2, bucket.rateTokens + (elapsedMs / 1000) * perSecond) - 1;
  bucket.rateAtMs = nowMs;
  if (bucket.rateTokens >= 0) return 0;
  return bucket.rateTokens < -2 * perSecond ? 'flood' : Math.ceil((-bucket.rateTokens / perSecond) * 1000);
}

/**
 * Takes one token. The bucket has twice the rate, so a client may burst for a second and then keep the rate.
 * @returns 0 if there was one, otherwise the milliseconds until there is one
 */
export function takeToken(bucket: Bucket, perSecond: number, nowMs: number): number {
  // A wall clock that steps back gives nothing and takes nothing.
  const elapsedMs = Math.max(0, nowMs - bucket.rateAtMs);
  const refilled = bucket.rateTokens + (elapsedMs / 1000) * perSecond;
  bucket.rateTokens = Math.min(perSecond * 2, refilled);
  bucket.rateAtMs = nowMs;
  if (bucket.rateTokens < 1) return Math.ceil(((1 - bucket.rateTokens) / perSecond) * 1000);
  bucket.rateTokens--;
  return 0;
}
