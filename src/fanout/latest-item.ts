import type { FanoutItem } from './item.ts';
import type { Latest, NextOptions } from './latest.ts';
import type { Position } from './shard.ts';

/** The state of a topic without keys: its latest item. There may be very many such topics, so it is one object, whatever has been published. */
export class LatestItem implements Latest {
  readonly completeFrom: number;
  #item: FanoutItem | undefined;
  #sequence = -1;

  constructor(completeFrom: number) {
    this.completeFrom = completeFrom;
  }

  set(item: FanoutItem, sequence: number): void {
    this.#item = item;
    this.#sequence = sequence;
  }

  between(from: number, to: number): FanoutItem[] {
    return this.#item !== undefined && this.#sequence >= from && this.#sequence < to ? [this.#item] : [];
  }

  next(
    from: Position,
    { until = Number.POSITIVE_INFINITY, withoutRemoved = false }: NextOptions,
  ): { items: FanoutItem[]; position: Position } {
    const item = this.#item;
    const sequence = this.#sequence;
    if (item === undefined || sequence >= until || (withoutRemoved && item.removed)) return { items: [], position: from };
    const isAfter = from.sequence < 0 ? item.offset > from.offset : sequence >= from.sequence;
    if (!isAfter) return { items: [], position: from };
    return { items: [item], position: { sequence: sequence < 0 ? -1 : sequence + 1, offset: item.offset } };
  }
}
