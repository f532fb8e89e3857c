/** The rates that a client may be granted, in batches a second. There are few classes, so that clients with similar rates share the encoding. */
export const RATE_CLASSES_HZ = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100] as const;

/** The highest class that is not above the requested rate; for lower rates the slowest class. */
export function rateClassFor(maxRateHz: number): number {
  let granted: number = RATE_CLASSES_HZ[0];
  for (const rate of RATE_CLASSES_HZ) if (rate <= maxRateHz) granted = rate;
  return granted;
}
