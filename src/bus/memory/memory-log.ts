import type { FeedName } from '../../protocol/feed-name.ts';
import { BusError } from '../bus-error.ts';
import type { Follower, Log, LogState, ReadRange, ReadResult, ScanRange, ScanResult } from '../log.ts';
import { newestWithin } from '../newest-within.ts';
import type { Publication } from '../publication.ts';
import { logGap, MemoryFollower } from './memory-follower.ts';
import type { MemoryImages } from './memory-images.ts';
import type { NamespaceStore } from './namespace-store.ts';

/** The log of one durable namespace: implements the contract with its store. */
export class MemoryLog implements Log {
  readonly namespace: string;
  readonly images: MemoryImages | undefined;
  readonly #epoch: string;
  readonly #store: () => NamespaceStore;
  readonly #followers: Set<MemoryFollower>;
  readonly #scheduleDelivery: () => void;

  /** @param store returns the namespace's store without expired publications */
  constructor(
    namespace: string,
    epoch: string,
    store: () => NamespaceStore,
    followers: Set<MemoryFollower>,
    scheduleDelivery: () => void,
    images: MemoryImages | undefined,
  ) {
    this.namespace = namespace;
    this.images = images;
    this.#epoch = epoch;
    this.#store = store;
    this.#followers = followers;
    this.#scheduleDelivery = scheduleDelivery;
  }

  async state(): Promise<LogState> {
    const { firstOffset, lastOffset } = this.#store();
    return { epoch: this.#epoch, firstOffset, lastOffset };
  }

  async follow(
    afterOffset: number,
    onPublication: (publication: Publication) => void,
    onBroken: (error: Error) => void,
  ): Promise<Follower> {
    const store = this.#store();
    if (afterOffset > store.lastOffset) {
      throw new BusError('log_rolled_back', `the log of ${this.namespace} ends at ${store.lastOffset}, before offset ${afterOffset}`);
    }
    if (!store.isWholeAfter(afterOffset)) throw logGap(this.namespace, afterOffset);
    const follower = new MemoryFollower(this.namespace, afterOffset, onPublication, onBroken, (stopped) => this.#followers.delete(stopped));
    this.#followers.add(follower);
    this.#scheduleDelivery();
    return follower;
  }

  async lastOffset(name: FeedName): Promise<number> {
    return this.#store().lastOffsetOf(name);
  }

  async offsetBefore(atMs: number): Promise<number> {
    return this.#store().offsetBefore(atMs);
  }

  async read(name: FeedName, range: ReadRange): Promise<ReadResult> {
    return this.#store().read(name, range);
  }

  async readLast(name: FeedName, count: number, bytesMax = Number.POSITIVE_INFINITY): Promise<readonly Publication[]> {
    return newestWithin(this.#store().readLast(name, count), bytesMax);
  }

  async scan(name: FeedName, { after }: ScanRange, take: (publication: Publication) => void): Promise<ScanResult> {
    const { publications, anchored } = this.#store().read(name, { after, limit: Number.POSITIVE_INFINITY });
    for (const publication of publications) take(publication);
    return { offset: publications.at(-1)?.offset ?? 0, anchored };
  }

  async snapshot(name: FeedName, after = 0): Promise<readonly Publication[]> {
    return this.#store().snapshot(name, after);
  }

  async latest(names: readonly FeedName[]): Promise<readonly (Publication | undefined)[]> {
    const store = this.#store();
    return names.map((name) => store.snapshot(name, 0)[0]);
  }
}
