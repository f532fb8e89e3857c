import { FanoutItem } from '../fanout/item.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { ToWorker } from '../link/messages.ts';
import type { PublicationMessage } from '../link/publication-message.ts';

export interface HubQueueOptions {
  /** Maximum time of one wait of a topic; 0: never wait. */
  readonly topicQueueMaxMs: number;
  /** Maximum of what waits, of all topics. */
  readonly topicQueueItemsMax: number;
  readonly topicQueueBytesMax: number;
  /** A topic whose ring has fewer bytes never waits. */
  readonly topicQueueFromBytes: number;
  /** @returns the feed with this number; undefined: it has no subscribers here any more */
  readonly feedOf: (topicNumber: number) => TopicFeed | undefined;
  /** Is it still the feed of its topic? */
  readonly isOpen: (feed: TopicFeed) => boolean;
  readonly other: (message: Exclude<ToWorker, { kind: 'publication' }>) => void;
  /** These feeds have new items. */
  readonly wake: (feeds: Iterable<TopicFeed>) => void;
  readonly onQueued: () => void;
}

/** Share of the passing time that a topic can use for waiting again: a topic that is always too fast waits at most a tenth of the time. */
const REFILL = 0.1;

/** The queue of a topic that waits: its publications since, in order. */
interface TopicQueue {
  readonly feed: TopicFeed;
  items: FanoutItem[];
  bytes: number;
  /** Time that it may still wait, as of `atMs`. It falls while the topic waits, and rises otherwise. */
  budgetMs: number;
  atMs: number;
  /** Set while the topic waits: it ends with the budget. */
  timer: NodeJS.Timeout | undefined;
}

/**
 * Messages from the hub, in order. After a node was cut off from NATS, it gets all missed publications at once: faster than members can be served. They would
 * push items out of the ring that members have not got, and each member would have to ask for history. So the topic's next publications wait here until
 * passes of the scheduler have freed half the ring. (Measured with 9,000 publications missed by 1,000 members: all are live again after 2.2 s, not 7.4.)
 *
 * Only that topic waits. Publications of other topics and all other messages are handled at once. The wait is bounded in time, items and bytes. Past a bound
 * the ring overruns, and members repair the gap.
 */
export class HubQueue {
  readonly #options: HubQueueOptions;
  /** Also topics that no longer wait, until they have their full time for waiting again. */
  readonly #queues = new Map<TopicFeed, TopicQueue>();
  #items = 0;
  #bytes = 0;

  constructor(options: HubQueueOptions) {
    this.#options = options;
  }

  /** The publications that wait, and their bytes. */
  get waiting(): { readonly items: number; readonly bytes: number } {
    return { items: this.#items, bytes: this.#bytes };
  }

  receive(messages: readonly ToWorker[]): void {
    const touched = new Set<TopicFeed>();
    for (const message of messages) {
      if (message.kind === 'publication') this.#publication(message, touched);
      else this.#options.other(message);
    }
    if (touched.size > 0) this.#options.wake(touched);
  }

  /** A pass of the scheduler has ended: rings may have room again. */
  passEnded(): void {
    if (this.#queues.size === 0) return;
    const touched = new Set<TopicFeed>();
    for (const queue of this.#queues.values()) if (queue.timer !== undefined && this.#goOn(queue)) touched.add(queue.feed);
    if (touched.size > 0) this.#options.wake(touched);
  }

  /** The topic's log was reset: its publications that wait are void. */
  discard(feed: TopicFeed): void {
    const queue = this.#queues.get(feed);
    if (queue !== undefined) this.#end(queue);
  }

  /** Called once a second or so. */
  forgetOld(): void {
    const nowMs = performance.now();
    for (const queue of this.#queues.values()) {
      const isOpen = this.#options.isOpen(queue.feed);
      if (!isOpen) this.#end(queue);
      if (!isOpen || (queue.timer === undefined && this.#budgetMs(queue, nowMs) >= this.#options.topicQueueMaxMs))
        this.#queues.delete(queue.feed);
    }
  }

  stop(): void {
    for (const { timer } of this.#queues.values()) clearTimeout(timer);
  }

  /** Several feeds share an item: it is encoded once. Where they may have deltas each has its own, which keeps what changed for its members. */
  #publication(message: PublicationMessage, touched: Set<TopicFeed>): void {
    const { feedOf } = this.#options;
    const item = new FanoutItem(message.item);
    this.#add(feedOf(message.topicNumber), item, touched);
    for (const { topicNumber } of message.others) {
      const feed = feedOf(topicNumber);
      this.#add(feed, feed?.namespace.delta === 'fields' ? new FanoutItem(message.item) : item, touched);
    }
  }

  #add(feed: TopicFeed | undefined, item: FanoutItem, touched: Set<TopicFeed>): void {
    if (feed === undefined) return;
    const queue = this.#queues.size === 0 ? undefined : this.#queues.get(feed);
    if (queue?.timer !== undefined) {
      if (queue.items.length > 0 || feed.isCrowded) return this.#wait(queue, item, touched);
      this.#end(queue);
    }
    feed.add(item);
    touched.add(feed);
    if (feed.isCrowded) this.#mayQueue(feed, queue);
  }

  #wait(queue: TopicQueue, item: FanoutItem, touched: Set<TopicFeed>): void {
    const { topicQueueItemsMax, topicQueueBytesMax } = this.#options;
    queue.items.push(item);
    queue.bytes += item.bytes;
    this.#items++;
    this.#bytes += item.bytes;
    while (this.#items > topicQueueItemsMax || this.#bytes > topicQueueBytesMax) touched.add(this.#letGo(this.#largest()).feed);
  }

  /** Half of a short ring is only a few publications. Waiting for so few would be slower than any feed. */
  #mayQueue(feed: TopicFeed, known: TopicQueue | undefined): void {
    const { topicQueueMaxMs, topicQueueFromBytes, onQueued, wake } = this.#options;
    if (feed.ring.bytes < topicQueueFromBytes) return;
    const nowMs = performance.now();
    const queue = known ?? { feed, items: [], bytes: 0, budgetMs: topicQueueMaxMs, atMs: nowMs, timer: undefined };
    queue.budgetMs = this.#budgetMs(queue, nowMs);
    queue.atMs = nowMs;
    if (queue.budgetMs < 1) return;
    this.#queues.set(feed, queue);
    queue.timer = setTimeout(() => wake([this.#letGo(queue).feed]), queue.budgetMs);
    onQueued();
  }

  /** Adds as many items to the ring as it has room for. @returns whether there were any */
  #goOn(queue: TopicQueue): boolean {
    const { feed, items } = queue;
    let count = 0;
    let bytes = 0;
    if (this.#options.isOpen(feed)) {
      while (count < items.length && !feed.isCrowded) {
        const item = items[count++] as FanoutItem;
        // Before it is added: what changed is then kept with it.
        bytes += item.bytes;
        feed.add(item);
      }
    } else this.#end(queue);
    if (count > 0) this.#remove(queue, count, bytes);
    if (queue.items.length === 0 && !feed.isCrowded) this.#end(queue);
    return count > 0;
  }

  /** Adds all items to the ring, whether it has room or not. */
  #letGo(queue: TopicQueue): TopicQueue {
    const { feed, items } = queue;
    this.#end(queue);
    if (this.#options.isOpen(feed)) for (const item of items) feed.add(item);
    return queue;
  }

  /** Removes the first items. @param bytes what they had when they came */
  #remove(queue: TopicQueue, count: number, bytes: number): void {
    queue.items = queue.items.slice(count);
    queue.bytes -= bytes;
    this.#items -= count;
    this.#bytes -= bytes;
  }

  /** Ends the wait, and drops the items that are left. */
  #end(queue: TopicQueue): void {
    this.#remove(queue, queue.items.length, queue.bytes);
    const nowMs = performance.now();
    queue.budgetMs = this.#budgetMs(queue, nowMs);
    queue.atMs = nowMs;
    clearTimeout(queue.timer);
    queue.timer = undefined;
  }

  #largest(): TopicQueue {
    let largest: TopicQueue | undefined;
    for (const queue of this.#queues.values()) if (queue.bytes > (largest?.bytes ?? 0)) largest = queue;
    return largest as TopicQueue;
  }

  #budgetMs({ budgetMs, atMs, timer }: TopicQueue, nowMs: number): number {
    if (timer !== undefined) return budgetMs - (nowMs - atMs);
    return Math.min(this.#options.topicQueueMaxMs, budgetMs + (nowMs - atMs) * REFILL);
  }
}
