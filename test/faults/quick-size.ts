import type { Size } from './scenario.ts';

/** What fits a test run: the same faults, fewer clients, less time under load. */
export function quickSize(size: Size): Size {
  const smaller = { ...size, clients: Math.min(size.clients, 60), ratePerSecond: Math.min(size.ratePerSecond, 200), quick: true };
  return size.minutes === undefined ? smaller : { ...smaller, minutes: 0 };
}
