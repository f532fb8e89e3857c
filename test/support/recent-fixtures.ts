import { type RecentBounds, RecentBudget } from '../../src/recent/budget.ts';
import type { ItemForm } from '../../src/recent/item-form.ts';

/** An item of which only that is known which the recent past must know. */
export interface PlainItem {
  readonly offset: number;
  readonly topic?: string;
  readonly key: string | null;
  readonly bytes: number;
  readonly removed?: boolean;
}

export const PLAIN_FORM: ItemForm<PlainItem> = {
  bytesOf: ({ bytes }) => bytes,
  wireBytesOf: ({ bytes }) => bytes,
  slotOf: ({ key }) => key,
};

export function plain(offset: number, more: Partial<Omit<PlainItem, 'offset'>> = {}): PlainItem {
  return { offset, key: null, bytes: 10, ...more };
}

export type Limits = Partial<RecentBounds>;

/** Bounds that no test meets by accident. */
export const WIDE: RecentBounds = { itemsPerTopicMax: 1000, bytesPerTopicMax: 1_000_000, bytesMax: 1_000_000_000, keysPerTopicMax: 100 };

export function budgetOf(limits: Limits = {}): RecentBudget<PlainItem> {
  return new RecentBudget(PLAIN_FORM, { ...WIDE, ...limits });
}

export const offsetsOf = (items: readonly { readonly offset: number }[] | undefined) => items?.map(({ offset }) => offset);
