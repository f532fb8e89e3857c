/** Rates that a client may be granted, in batches a second. Few classes, so that those who ask for similar rates share one encode. */
export const RATE_CLASSES_HZ = [0.5, 1, 2, 5, 10, 20] as const;

/** The class at or below what was asked for; the slowest there is for less than that. */
export function rateClassFor(maxRateHz: number): number {
  let granted: number = RATE_CLASSES_HZ[0];
  for (const rate of RATE_CLASSES_HZ) if (rate <= maxRateHz) granted = rate;
  return granted;
}
