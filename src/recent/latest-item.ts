import type { RecentItem } from './item-form.ts';
import type { Latest, NextOptions } from './latest.ts';
import type { Position } from './position.ts';

/** The state of a topic without keys: its latest item. There may be very many such topics, so it is always one object. */
export class LatestItem<T extends RecentItem> implements Latest<T> {
  readonly completeFrom: number;
  #item: T | undefined;
  #sequence = -1;

  constructor(completeFrom: number) {
    this.completeFrom = completeFrom;
  }

  set(item: T, sequence: number): T | undefined {
    const before = this.#item;
    this.#item = item;
    this.#sequence = sequence;
    return before;
  }

  between(from: number, to: number): T[] {
    return this.#item !== undefined && this.#sequence >= from && this.#sequence < to ? [this.#item] : [];
  }

  after(offset: number): T[] | undefined {
    if (offset < this.completeFrom) return undefined;
    return this.#item !== undefined && this.#item.offset > offset ? [this.#item] : [];
  }

  next(from: Position, { until = Number.POSITIVE_INFINITY, withoutRemoved = false }: NextOptions): { items: T[]; position: Position } {
    const item = this.#item;
    const sequence = this.#sequence;
    if (item === undefined || sequence >= until || (withoutRemoved && item.removed)) return { items: [], position: from };
    const isAfter = from.sequence < 0 ? item.offset > from.offset : sequence >= from.sequence;
    if (!isAfter) return { items: [], position: from };
    return { items: [item], position: { sequence: sequence < 0 ? -1 : sequence + 1, offset: item.offset } };
  }
}
