import type { FeedName } from '../protocol/feed-name.ts';
import { namespaceOf } from '../protocol/topic.ts';

/** How many patterns are open on this node, in all and by namespace: each costs something for every publication that it matches. */
export class PatternCounts {
  readonly #open = new Map<string, number>();

  change(pattern: FeedName, by: 1 | -1): void {
    const namespace = namespaceOf(pattern);
    this.#open.set(namespace, this.of(namespace) + by);
  }

  of(namespace: string): number {
    return this.#open.get(namespace) ?? 0;
  }

  get all(): number {
    let open = 0;
    for (const count of this.#open.values()) open += count;
    return open;
  }
}
