import { LIMIT_DEFAULT } from './schemas/common.ts';
import type { ApiContext } from './sources.ts';

/** How many items the answer may have: as requested, and not more than the config allows. */
export function limitOf({ limit = LIMIT_DEFAULT }: { readonly limit?: number }, { sources }: ApiContext): number {
  return Math.min(limit, sources.config.tuning.admin.pageItemsMax);
}
