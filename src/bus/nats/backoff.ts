/** 50 ms, doubling up to 1 s, and up to half as much again at random, so that nodes that failed together do not try together. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const baseMs = Math.min(50 * 2 ** Math.min(attempt, 10), 1000);
  return baseMs * (1 + random() / 2);
}
