import type { FeedName } from '../protocol/feed-name.ts';
import type { Subscription } from './subscription.ts';

/**
 * The subscriptions of a connection, as a `Map`. A connection often has one, and there are very many of those: they have no table. That is 40 B of a connection
 * with one subscription, instead of 184.
 */
export class SubscriptionMap {
  #topic: FeedName | undefined;
  #subscription: Subscription | undefined;
  /** All of them, from the second on. */
  #table: Map<FeedName, Subscription> | undefined;

  get size(): number {
    if (this.#table !== undefined) return this.#table.size;
    return this.#topic === undefined ? 0 : 1;
  }

  get(topic: FeedName): Subscription | undefined {
    if (this.#table !== undefined) return this.#table.get(topic);
    return this.#topic === topic ? this.#subscription : undefined;
  }

  has(topic: FeedName): boolean {
    return this.#table?.has(topic) ?? this.#topic === topic;
  }

  set(topic: FeedName, subscription: Subscription): void {
    if (this.#table === undefined) {
      if (this.#topic === undefined || this.#topic === topic) {
        this.#topic = topic;
        this.#subscription = subscription;
        return;
      }
      this.#table = new Map([[this.#topic, this.#subscription as Subscription]]);
      this.#topic = undefined;
      this.#subscription = undefined;
    }
    this.#table.set(topic, subscription);
  }

  delete(topic: FeedName): boolean {
    if (this.#table !== undefined) return this.#table.delete(topic);
    if (this.#topic !== topic) return false;
    this.#topic = undefined;
    this.#subscription = undefined;
    return true;
  }

  clear(): void {
    this.#topic = undefined;
    this.#subscription = undefined;
    this.#table = undefined;
  }

  /** In the order in which they were added. */
  [Symbol.iterator](): Iterator<[FeedName, Subscription]> {
    return this.#entries()[Symbol.iterator]();
  }

  *keys(): Iterable<FeedName> {
    for (const [topic] of this.#entries()) yield topic;
  }

  *values(): Iterable<Subscription> {
    for (const [, subscription] of this.#entries()) yield subscription;
  }

  #entries(): Iterable<[FeedName, Subscription]> {
    if (this.#table !== undefined) return this.#table;
    return this.#topic === undefined ? [] : [[this.#topic, this.#subscription as Subscription]];
  }
}
