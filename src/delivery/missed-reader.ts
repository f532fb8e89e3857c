import type { MissedItems } from '../fanout/catch-up.ts';
import { FanoutItem } from '../fanout/item.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { RecoveryAnswer } from '../link/messages.ts';
import { SharedReads } from '../link/shared-reads.ts';
import type { Topic } from '../protocol/topic.ts';
import type { RecentBudget } from '../recent/budget.ts';
import { KeptReads } from '../recent/kept-reads.ts';
import type { Since } from '../recent/lives.ts';
import { provesFrom } from '../recent/missed.ts';
import { whereIsAfter } from '../recent/where.ts';
import type { HubClient } from './hub-client.ts';

/**
 * Gets what clients missed from the hub, where this worker does not have it: one question for all who come back to a topic at once. The answer is made
 * into items once, and is kept for those who come a little later.
 */
export class MissedReader {
  readonly #hub: HubClient;
  readonly #reads = new SharedReads<MissedItems>((topic, after) => this.#read(topic, after));
  /** By topic, with the offset that was asked for. Where `completeFrom` is later, nothing more can be had. */
  readonly #kept: KeptReads<FanoutItem, { readonly askedFrom: number }>;

  constructor(hub: HubClient, budget: RecentBudget<FanoutItem>) {
    this.#hub = hub;
    this.#kept = new KeptReads(budget);
  }

  get bytes(): number {
    return this.#kept.bytes;
  }

  /**
   * What is known already of what a client needs to go on from `since`. Undefined: nothing is needed, or nothing can be had. `ask`: only the hub can tell.
   */
  known(feed: TopicFeed, since: Since): MissedItems | undefined | 'ask' {
    const { namespace, epoch, holdings } = feed;
    if (!namespace.durable || since.epoch !== epoch) return undefined;
    switch (whereIsAfter(holdings, since.offset).kind) {
      case 'ring':
      case 'state':
        return undefined;
      case 'ahead':
        return 'ask';
      case 'evicted':
        // The hub's state of a keyed topic is this worker's.
        return namespace.keyed ? undefined : (this.#take(feed, since) ?? 'ask');
    }
  }

  /**
   * The same, asking the hub if need be. To be called before the client joins, so that what comes meanwhile is in the ring when it does.
   * @throws ProtocolError
   */
  async read(feed: TopicFeed, since: Since): Promise<MissedItems | undefined> {
    const known = this.known(feed, since);
    if (known !== 'ask') return known;
    // Another node was faster: the hub answers when it has come so far too, and what it had to pass is in the ring by then.
    if (since.offset > feed.ring.headOffset) return this.#ask(feed.topic, since.offset);
    return this.#reads.ask(feed.topic, since.offset);
  }

  /** Takes what came with the answer that opened the topic. */
  keep(topic: Topic, { items, ...answer }: RecoveryAnswer): void {
    this.#put(topic, { ...answer, items: items.map((item) => new FanoutItem(item, 0)) }, answer.completeFrom ?? 0);
  }

  /** What has been read lately of what follows this offset, for a client that is being caught up. */
  kept({ topic, epoch }: TopicFeed, offset: number): MissedItems | undefined {
    const nowMs = performance.now();
    const missed = this.#kept.get(topic, epoch, nowMs)?.missed;
    if (missed === undefined || !provesFrom(missed, epoch, offset) || missed.offset <= offset) return undefined;
    this.#kept.renew(topic, nowMs);
    return missed;
  }

  /** Called once a second or so. */
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

  async #read(topic: Topic, after: number): Promise<MissedItems> {
    const missed = await this.#ask(topic, after);
    this.#put(topic, missed, after);
    return missed;
  }

  #put(topic: Topic, missed: MissedItems, askedFrom: number): void {
    this.#kept.put(topic, missed, { askedFrom }, performance.now());
  }

  async #ask(topic: Topic, after: number): Promise<MissedItems> {
    const answer = await this.#hub.recover({ topic, after });
    return { ...answer, items: answer.items.map((item) => new FanoutItem(item, 0)) };
  }
}
