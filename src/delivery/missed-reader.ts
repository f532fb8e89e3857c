import type { MissedItems } from '../fanout/catch-up.ts';
import { FanoutItem } from '../fanout/item.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { RecoveryAnswer } from '../link/answers.ts';
import { SharedReads } from '../link/shared-reads.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { RecentBudget } from '../recent/budget.ts';
import { KeptReads } from '../recent/kept-reads.ts';
import type { Since } from '../recent/lives.ts';
import { provesFrom } from '../recent/missed.ts';
import { whereIsAfter } from '../recent/where.ts';
import type { HubClient } from './hub-client.ts';

/**
 * Reads from the hub what clients missed, if this worker does not have it: with one request for all that reconnect to a topic at the same time. The answer is
 * converted to items once, and kept for clients that reconnect a little later.
 */
export class MissedReader {
  readonly #hub: HubClient;
  readonly #reads = new SharedReads<MissedItems>((topic, after) => this.#read(topic, after));
  /** By topic, with the requested offset. If `completeFrom` is later, nothing more is available. */
  readonly #kept: KeptReads<FanoutItem, { readonly askedFrom: number }>;

  constructor(hub: HubClient, budget: RecentBudget<FanoutItem>) {
    this.#hub = hub;
    this.#kept = new KeptReads(budget);
  }

  get bytes(): number {
    return this.#kept.bytes;
  }

  /** What is known about what a client needs to continue from `since`. Undefined: nothing is needed, or nothing is available. `ask`: only the hub knows. */
  known(feed: TopicFeed, since: Since): MissedItems | undefined | 'ask' {
    const { namespace, epoch, ring } = feed;
    if (!namespace.durable || since.epoch !== epoch || since.offset === ring.headOffset) return undefined;
    switch (whereIsAfter(feed.holdings, since.offset).kind) {
      case 'ring':
      case 'state':
        return undefined;
      case 'ahead':
        return 'ask';
      case 'evicted':
        // This worker has the hub's whole state of a topic with keys or a document.
        return namespace.state !== 'last' ? undefined : (this.#take(feed, since) ?? 'ask');
    }
  }

  /**
   * The same, asking the hub if necessary. Call it before the client joins, so that what arrives meanwhile is in the ring when it joins.
   * @throws ProtocolError
   */
  async read(feed: TopicFeed, since: Since): Promise<MissedItems | undefined> {
    const known = this.known(feed, since);
    if (known !== 'ask') return known;
    // The client's position is from a node that was ahead: the hub answers when it has reached that position, and the publications up to it are then in the
    // ring.
    if (since.offset > feed.ring.headOffset) return this.#ask(feed.topic, since.offset);
    return this.#reads.ask(feed.topic, since.offset);
  }

  /** @throws ProtocolError */
  placeOf(topic: FeedName, atMs: number): Promise<Since> {
    return this.#hub.placeOf({ topic, atMs });
  }

  /** Takes what came with the answer that opened the topic. */
  keep(topic: FeedName, { items, ...answer }: RecoveryAnswer): void {
    this.#put(topic, { ...answer, items: items.map((item) => new FanoutItem(item)) }, answer.completeFrom ?? 0);
  }

  /** What has recently been read after this offset, for a client that is catching up. */
  kept({ topic, epoch }: TopicFeed, offset: number): MissedItems | undefined {
    const nowMs = performance.now();
    const missed = this.#kept.get(topic, epoch, nowMs)?.missed;
    if (missed === undefined || !provesFrom(missed, epoch, offset) || missed.offset <= offset) return undefined;
    this.#kept.renew(topic, nowMs);
    return missed;
  }

  /** Called about once a second. */
  forgetOld(nowMs = performance.now()): void {
    this.#kept.forgetOld(nowMs);
  }

  #take({ topic, epoch, ring }: TopicFeed, { offset }: Since): MissedItems | undefined {
    const nowMs = performance.now();
    const kept = this.#kept.get(topic, epoch, nowMs);
    if (kept === undefined || kept.missed.offset < ring.baseOffset) return undefined;
    const { completeFrom = Number.POSITIVE_INFINITY } = kept.missed;
    if (offset < completeFrom && completeFrom <= kept.note.askedFrom) return undefined;
    this.#kept.renew(topic, nowMs);
    return kept.missed;
  }

  async #read(topic: FeedName, after: number): Promise<MissedItems> {
    const missed = await this.#ask(topic, after);
    this.#put(topic, missed, after);
    return missed;
  }

  #put(topic: FeedName, missed: MissedItems, askedFrom: number): void {
    this.#kept.put(topic, missed, { askedFrom }, performance.now());
  }

  async #ask(topic: FeedName, after: number): Promise<MissedItems> {
    const answer = await this.#hub.recover({ topic, after });
    return { ...answer, items: answer.items.map((item) => new FanoutItem(item)) };
  }
}
