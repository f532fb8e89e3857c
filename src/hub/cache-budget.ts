import { type CacheBounds, TopicCache } from './topic-cache.ts';

/**
 * The bytes that all topics' caches may hold together. Past them the caches are halved in turn until a quarter is free again, so that a
 * publication costs no search.
 */
export class CacheBudget {
  readonly #bounds: CacheBounds;
  readonly #bytesMax: number;
  readonly #caches = new Set<TopicCache>();
  #bytes = 0;

  constructor(bounds: CacheBounds, bytesMax: number) {
    this.#bounds = bounds;
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  create(base: number): TopicCache {
    const cache = new TopicCache(this.#bounds, base, (change) => {
      this.#bytes += change;
    });
    this.#caches.add(cache);
    return cache;
  }

  remove(cache: TopicCache): void {
    cache.clear(0);
    this.#caches.delete(cache);
  }

  /** To be called after a cache has grown. */
  keep(): void {
    if (this.#bytes <= this.#bytesMax) return;
    for (const cache of [...this.#caches]) {
      if (this.#bytes <= this.#bytesMax * 0.75) return;
      // To the end of the order: next time others are first.
      this.#caches.delete(cache);
      this.#caches.add(cache);
      cache.halve();
    }
  }
}
