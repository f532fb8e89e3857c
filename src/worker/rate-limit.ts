/** What a token bucket remembers; kept as two fields of whoever is limited, so that a limit costs no object. */
export interface Bucket {
  rateTokens: number;
  rateAtMs: number;
}

/**
 * Takes one token. The bucket holds twice the rate, so a client may burst for a second and then keep the rate.
 * @returns 0 when there was one, else the milliseconds until there will be
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
