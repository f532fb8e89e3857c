import type { RecentBudget } from './budget.ts';
import type { RecentItem } from './item-form.ts';
import type { Latest } from './latest.ts';
import { LatestByKey } from './latest-by-key.ts';
import { LatestDocument } from './latest-document.ts';
import { LatestDocuments } from './latest-documents.ts';
import { LatestItem } from './latest-item.ts';
import type { Ring } from './ring.ts';

/** The state of a topic: its last item, the latest item of every key, a document, or a document of every key. */
export type StateKind = 'last' | 'keyed' | 'document' | 'documents';

/**
 * The only place that chooses the class of a state.
 * @param completeFrom the initial items have every change after this offset
 * @param ring of the same items
 * @param isCounted the latest items of keys count in the budget until {@link Latest.clear}, besides those of the ring
 */
export function latestFor<T extends RecentItem>(
  kind: StateKind,
  budget: RecentBudget<T>,
  completeFrom: number,
  ring: Ring<T>,
  isCounted = false,
): Latest<T> {
  const { form, bounds } = budget;
  switch (kind) {
    case 'last':
      return new LatestItem(completeFrom);
    case 'keyed':
      return new LatestByKey(form, bounds.keysPerTopicMax, completeFrom, isCounted ? budget : undefined);
    case 'document':
      return new LatestDocument(form, ring, completeFrom);
    case 'documents':
      return new LatestDocuments(form, ring, bounds.keysPerTopicMax, completeFrom);
  }
}
