import type { Item } from './item.ts';

/**
 * A topic's current state, known to a subscription that began with it (`snapshot: true`): the latest item of every key that is not removed; in a topic without
 * keys, its last item. It is for listeners that join later. Above `keysMax` keys nothing is kept, until the state is reset.
 */
export class TopicState<T> {
  readonly #keysMax: number;
  /** By topic (of a pattern there are several) and key, in the order of their last change. */
  readonly #items = new Map<string, Item<T>>();
  /** The state has more keys than are kept. */
  #isTooLarge = false;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  restart(): void {
    this.#items.clear();
    this.#isTooLarge = false;
  }

  apply(item: Item<T>): void {
    if (this.#isTooLarge) return;
    const slot = `${item.topic}#${item.key}`;
    this.#items.delete(slot);
    if (item.removed) return;
    this.#items.set(slot, item);
    if (this.#items.size <= this.#keysMax) return;
    this.#isTooLarge = true;
    this.#items.clear();
  }

  /** Oldest change first, each with source `snapshot`. Undefined: it is too large to be kept. */
  items(): Item<T>[] | undefined {
    if (this.#isTooLarge) return undefined;
    return Array.from(this.#items.values(), (item) => ({ ...item, patch: undefined, source: 'snapshot' as const }));
  }
}
