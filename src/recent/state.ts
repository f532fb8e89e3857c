import type { RecentBudget } from './budget.ts';
import type { RecentItem } from './item-form.ts';
import type { Latest } from './latest.ts';
import { LatestByKey } from './latest-by-key.ts';
import { LatestDocument } from './latest-document.ts';
import { LatestItem } from './latest-item.ts';
import type { Ring } from './ring.ts';

/** The state of a topic: its last item, the latest item of every key, or a document. */
export type StateKind = 'last' | 'keyed' | 'document';

/**
 * The only place that chooses the class of a state.
 * @param completeFrom the initial items have every change after this offset
 * @param ring of the same items
 */
export function latestFor<T extends RecentItem>(
  kind: StateKind,
  { form, bounds }: RecentBudget<T>,
  completeFrom: number,
  ring: Ring<T>,
): Latest<T> {
  switch (kind) {
    case 'last':
      return new LatestItem(completeFrom);
    case 'keyed':
      return new LatestByKey(form, bounds.keysPerTopicMax, completeFrom);
    case 'document':
      return new LatestDocument(form, ring, completeFrom);
  }
}
