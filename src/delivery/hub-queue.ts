import { FanoutItem } from '../fanout/item.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { PublicationMessage, ToWorker } from '../link/messages.ts';

export interface HubQueueOptions {
  /** Maximum time of one wait of a topic; 0: never wait. */
  readonly holdMaxMs: number;
  /** Maximum of what waits, of all topics. */
  readonly holdItemsMax: number;
  readonly holdBytesMax: number;
  /** A topic whose ring has fewer bytes never waits. */
  readonly holdFromBytes: number;
  /** @returns the publication's feed; undefined: the topic has no subscribers here any more */
  readonly feedOf: (message: PublicationMessage) => TopicFeed | undefined;
  /** Is it still the feed of its topic? */
  readonly isOpen: (feed: TopicFeed) => boolean;
  readonly other: (message: Exclude<ToWorker, { kind: 'publication' }>) => void;
  /** These feeds have new items. */
  readonly wake: (feeds: Iterable<TopicFeed>) => void;
  readonly onHold: () => void;
}

/** Share of the passing time that a topic can use for waiting again: a topic that is always too fast waits at most a tenth of the time. */
const REFILL = 0.1;

/** A topic that waits, with its publications since, in order. */
interface Hold {
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
  readonly #holds = new Map<TopicFeed, Hold>();
  #items = 0;
  #bytes = 0;

  constructor(options: HubQueueOptions) {
    this.#options = options;
  }

  /** The publications that wait, and their bytes. */
  get held(): { readonly items: number; readonly bytes: number } {
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
    if (this.#holds.size === 0) return;
    const touched = new Set<TopicFeed>();
    for (const hold of this.#holds.values()) if (hold.timer !== undefined && this.#goOn(hold)) touched.add(hold.feed);
    if (touched.size > 0) this.#options.wake(touched);
  }

  /** The topic's log was reset: its publications that wait are void. */
  discard(feed: TopicFeed): void {
    const hold = this.#holds.get(feed);
    if (hold !== undefined) this.#end(hold);
  }

  /** Called once a second or so. */
  forgetOld(): void {
    const nowMs = performance.now();
    for (const hold of this.#holds.values()) {
      const isOpen = this.#options.isOpen(hold.feed);
      if (!isOpen) this.#end(hold);
      if (!isOpen || (hold.timer === undefined && this.#budgetMs(hold, nowMs) >= this.#options.holdMaxMs)) this.#holds.delete(hold.feed);
    }
  }

  stop(): void {
    for (const { timer } of this.#holds.values()) clearTimeout(timer);
  }

  #publication(message: PublicationMessage, touched: Set<TopicFeed>): void {
    const feed = this.#options.feedOf(message);
    if (feed === undefined) return;
    const item = new FanoutItem(message.item, message.prev);
    const hold = this.#holds.size === 0 ? undefined : this.#holds.get(feed);
    if (hold?.timer !== undefined) {
      if (hold.items.length > 0 || feed.isCrowded) return this.#wait(hold, item, touched);
      this.#end(hold);
    }
    feed.add(item);
    touched.add(feed);
    if (feed.isCrowded) this.#mayHold(feed, hold);
  }

  #wait(hold: Hold, item: FanoutItem, touched: Set<TopicFeed>): void {
    const { holdItemsMax, holdBytesMax } = this.#options;
    hold.items.push(item);
    hold.bytes += item.bytes;
    this.#items++;
    this.#bytes += item.bytes;
    while (this.#items > holdItemsMax || this.#bytes > holdBytesMax) touched.add(this.#letGo(this.#largest()).feed);
  }

  /** Half of a short ring is only a few publications. Waiting for so few would be slower than any feed. */
  #mayHold(feed: TopicFeed, known: Hold | undefined): void {
    const { holdMaxMs, holdFromBytes, onHold, wake } = this.#options;
    if (feed.ring.bytes < holdFromBytes) return;
    const nowMs = performance.now();
    const hold = known ?? { feed, items: [], bytes: 0, budgetMs: holdMaxMs, atMs: nowMs, timer: undefined };
    hold.budgetMs = this.#budgetMs(hold, nowMs);
    hold.atMs = nowMs;
    if (hold.budgetMs < 1) return;
    this.#holds.set(feed, hold);
    hold.timer = setTimeout(() => wake([this.#letGo(hold).feed]), hold.budgetMs);
    onHold();
  }

  /** Adds as many items to the ring as it has room for. @returns whether there were any */
  #goOn(hold: Hold): boolean {
    const { feed, items } = hold;
    let count = 0;
    if (this.#options.isOpen(feed)) while (count < items.length && !feed.isCrowded) feed.add(items[count++] as FanoutItem);
    else this.#end(hold);
    if (count > 0) this.#remove(hold, count);
    if (hold.items.length === 0 && !feed.isCrowded) this.#end(hold);
    return count > 0;
  }

  /** Adds all items to the ring, whether it has room or not. */
  #letGo(hold: Hold): Hold {
    if (this.#options.isOpen(hold.feed)) for (const item of hold.items) hold.feed.add(item);
    this.#end(hold);
    return hold;
  }

  /** Removes the first items. */
  #remove(hold: Hold, count: number): void {
    let bytes = 0;
    for (let at = 0; at < count; at++) bytes += (hold.items[at] as FanoutItem).bytes;
    hold.items = hold.items.slice(count);
    hold.bytes -= bytes;
    this.#items -= count;
    this.#bytes -= bytes;
  }

  /** Ends the wait, and drops the items that are left. */
  #end(hold: Hold): void {
    this.#remove(hold, hold.items.length);
    const nowMs = performance.now();
    hold.budgetMs = this.#budgetMs(hold, nowMs);
    hold.atMs = nowMs;
    clearTimeout(hold.timer);
    hold.timer = undefined;
  }

  #largest(): Hold {
    let largest: Hold | undefined;
    for (const hold of this.#holds.values()) if (hold.bytes > (largest?.bytes ?? 0)) largest = hold;
    return largest as Hold;
  }

  #budgetMs({ budgetMs, atMs, timer }: Hold, nowMs: number): number {
    if (timer !== undefined) return budgetMs - (nowMs - atMs);
    return Math.min(this.#options.holdMaxMs, budgetMs + (nowMs - atMs) * REFILL);
  }
}
