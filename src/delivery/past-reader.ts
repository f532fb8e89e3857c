import type { Past } from '../fanout/catch-up.ts';
import { FanoutItem } from '../fanout/item.ts';
import { isAtHand, type Since } from '../fanout/recovery.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import { SharedReads } from '../link/shared-reads.ts';
import type { Topic } from '../protocol/topic.ts';
import type { HubClient } from './hub-client.ts';

interface Kept {
  readonly past: Past;
  readonly bytes: number;
  /** As far back as was asked. Where `completeFrom` is later, nothing more can be had. */
  readonly askedFrom: number;
  usedAtMs: number;
}

/** Clients that were cut off together come back within a while; longer than this a topic's past is not kept for them. */
const KEPT_MS = 5000;

/**
 * Gets what clients missed from the hub, where this worker does not have it: one question for all who come back to a topic at once, and its answer,
 * made into items once, is kept for those who come a little later.
 */
export class PastReader {
  readonly #hub: HubClient;
  readonly #bytesMax: number;
  readonly #reads = new SharedReads<Past>((topic, after) => this.#read(topic, after));
  /** In the order of their last use. */
  readonly #kept = new Map<Topic, Kept>();
  #bytes = 0;

  /** @param bytesMax of what is kept, for all topics */
  constructor(hub: HubClient, bytesMax: number) {
    this.#hub = hub;
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What is known already of what a client needs to go on from `since`; undefined: nothing is needed, or can be had. `ask`: only the hub can tell. */
  known(feed: TopicFeed, since: Since): Past | undefined | 'ask' {
    const { namespace, epoch, ring } = feed;
    if (!namespace.durable || since.epoch !== epoch || isAtHand(feed, since)) return undefined;
    if (since.offset > ring.headOffset) return 'ask';
    // The hub's state of a keyed topic is this worker's.
    if (namespace.keyed) return undefined;
    return this.#take(feed, since) ?? 'ask';
  }

  /**
   * The same, asking the hub if need be. To be called before the client joins, so that what comes meanwhile is in the ring when it does.
   * @throws ProtocolError
   */
  async read(feed: TopicFeed, since: Since): Promise<Past | undefined> {
    const known = this.known(feed, since);
    if (known !== 'ask') return known;
    // Another node was faster: the hub answers when it has come so far too, and what it had to pass is in the ring by then.
    if (since.offset > feed.ring.headOffset) return this.#ask(feed.topic, since.offset);
    return this.#reads.ask(feed.topic, since.offset);
  }

  /** What has been read lately of what follows this offset, for whoever is being caught up. */
  kept({ topic, epoch }: TopicFeed, offset: number): Past | undefined {
    const kept = this.#kept.get(topic);
    if (kept === undefined) return undefined;
    const { past } = kept;
    if (past.epoch !== epoch || past.completeFrom === undefined || past.completeFrom > offset || past.offset <= offset) return undefined;
    this.#used(topic, kept);
    return past;
  }

  /** Called once a second or so. */
  forgetOld(nowMs: number): void {
    for (const [topic, kept] of this.#kept) if (nowMs - kept.usedAtMs > KEPT_MS) this.#forget(topic, kept);
  }

  #take({ topic, epoch, ring }: TopicFeed, since: Since): Past | undefined {
    const kept = this.#kept.get(topic);
    if (kept === undefined) return undefined;
    const { past, askedFrom } = kept;
    const { completeFrom = Number.POSITIVE_INFINITY } = past;
    if (past.epoch !== epoch || past.offset < ring.baseOffset) return undefined;
    if (since.offset < completeFrom && completeFrom <= askedFrom) return undefined;
    this.#used(topic, kept);
    return past;
  }

  #used(topic: Topic, kept: Kept): void {
    kept.usedAtMs = Date.now();
    this.#kept.delete(topic);
    this.#kept.set(topic, kept);
  }

  async #read(topic: Topic, after: number): Promise<Past> {
    const past = await this.#ask(topic, after);
    this.#keep(topic, past, after);
    return past;
  }

  async #ask(topic: Topic, after: number): Promise<Past> {
    const answer = await this.#hub.recover({ topic, after });
    return { ...answer, items: answer.items.map((item) => new FanoutItem(item, 0)) };
  }

  #keep(topic: Topic, past: Past, askedFrom: number): void {
    const known = this.#kept.get(topic);
    if (known !== undefined) this.#forget(topic, known);
    const bytes = past.items.reduce((sum, item) => sum + item.bytes, 0);
    this.#kept.set(topic, { past, bytes, askedFrom, usedAtMs: Date.now() });
    this.#bytes += bytes;
    for (const [oldest, kept] of this.#kept) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#forget(oldest, kept);
    }
  }

  #forget(topic: Topic, { bytes }: Kept): void {
    this.#kept.delete(topic);
    this.#bytes -= bytes;
  }
}
