/**
 * Adds fine buckets up into coarse ones: each goes where its upper bound does.
 * @param boundsMs rising; what is above the last one goes there too
 */
export function foldBuckets(
  buckets: readonly { readonly upToMs: number; readonly count: number }[],
  boundsMs: readonly number[],
): number[] {
  const counts = boundsMs.map(() => 0);
  for (const { upToMs, count } of buckets) {
    const at = boundsMs.findIndex((boundMs) => upToMs <= boundMs);
    const bar = at === -1 ? boundsMs.length - 1 : at;
    counts[bar] = (counts[bar] ?? 0) + count;
  }
  return counts;
}
