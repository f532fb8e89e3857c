/**
 * Merges fine buckets into coarse ones, by their upper bounds.
 *
 * @param boundsMs rising. What exceeds the last bound is counted in the last bucket.
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
