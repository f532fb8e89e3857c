import type { RecentBudget } from './budget.ts';
import type { RecentItem } from './item-form.ts';
import type { Latest } from './latest.ts';
import { LatestByKey } from './latest-by-key.ts';
import { LatestItem } from './latest-item.ts';

/** The state of a topic: its last item, or the latest item of every key. */
export type StateKind = 'last' | 'keyed';

/** The only place that chooses the class of a state. @param completeFrom the initial items have every change after this offset */
export function latestFor<T extends RecentItem>(kind: StateKind, { form, bounds }: RecentBudget<T>, completeFrom: number): Latest<T> {
  switch (kind) {
    case 'last':
      return new LatestItem(completeFrom);
    case 'keyed':
      return new LatestByKey(form, bounds.keysPerTopicMax, completeFrom);
  }
}
