import type { Config } from './schema.ts';

/** How much of `max` of all clients one user, or one address, may have: at least 1. */
export function shareOf({ sharePercentMax }: Pick<Config['limits'], 'sharePercentMax'>, max: number): number {
  return Math.ceil((max * sharePercentMax) / 100);
}
