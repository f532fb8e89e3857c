/** 50 ms, doubling up to 1 s, plus up to half of it at random, so that nodes that failed at the same time do not retry at the same time. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const baseMs = Math.min(50 * 2 ** Math.min(attempt, 10), 1000);
  return baseMs * (1 + random() / 2);
}
