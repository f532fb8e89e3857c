import { namespaceOptions } from '../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import type { FanoutItem } from '../fanout/item.ts';
import { FANOUT_ITEM_FORM } from '../fanout/item-form.ts';
import { TopicFeed } from '../fanout/topic-feed.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { ToWorker } from '../link/messages.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { namespaceOf } from '../protocol/topic.ts';
import { RecentBudget } from '../recent/budget.ts';
import type { Since } from '../recent/lives.ts';
import type { DeliveryMetrics } from './metrics.ts';
import { Openings, type Wanted } from './openings.ts';
import type { Owner } from './shares.ts';
import { TopicShares } from './topic-shares.ts';

/** Why a subscribe is answered with `not_subscribed`. */
export const SUPERSEDED = 'superseded by a later subscribe or unsubscribe to the topic';

interface Waiter {
  resolve(feed: TopicFeed): void;
  reject(error: ProtocolError): void;
}

/** A topic that is being opened. */
interface Opening extends Wanted {
  readonly waiters: Set<Waiter>;
}

/** Who waits for a topic. */
export interface Waiting {
  /** Set while it waits for a topic that must be opened: it does not want it any more. */
  giveUp?: (() => void) | undefined;
}

/**
 * The topics with subscribers in this worker. The first subscriber makes the hub open a topic, and those who subscribe meanwhile wait for the same answer. When
 * the last one leaves, the worker drops the topic immediately (the hub keeps it for a while).
 */
export class TopicTable {
  readonly #config: Config;
  readonly #link: WorkerEnd;
  /** The recent past that the worker keeps, for all topics. */
  readonly recent: RecentBudget<FanoutItem>;
  readonly #feeds = new Map<FeedName, TopicFeed>();
  readonly #byNumber = new Map<number, TopicFeed>();
  readonly #opening = new Map<FeedName, Opening>();
  readonly #shares: TopicShares;
  /** By namespace: the hub may open those of one late, because it cannot follow its log. */
  readonly #openings = new Map<string, Openings>();

  constructor(config: Config, link: WorkerEnd, metrics: Pick<DeliveryMetrics, 'shareRefused'>) {
    this.#config = config;
    this.#link = link;
    this.#shares = new TopicShares(config, (shared) => metrics.shareRefused(shared));
    this.recent = new RecentBudget(FANOUT_ITEM_FORM, config.tuning.recent);
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** Feeds with members, for iterating over all of them. */
  feeds(): IterableIterator<TopicFeed> {
    return this.#feeds.values();
  }

  get(topic: FeedName): TopicFeed | undefined {
    return this.#feeds.get(topic);
  }

  /** The same name, as the feed's string: each message has its own copy, and each subscription keeps one. */
  nameOf(topic: FeedName): FeedName {
    return this.#feeds.get(topic)?.topic ?? topic;
  }

  namespace(topic: FeedName): NamespaceOptions | undefined {
    return namespaceOptions(this.#config, namespaceOf(topic));
  }

  /**
   * The topic's feed, which is opened if necessary. It stays until {@link release}, even if all others leave meanwhile.
   * @param since the position of a reconnecting client: if the topic must be opened, the hub also sends what the client missed
   * @param owner for whose share it counts, if it must be opened
   * @throws ProtocolError also `not_subscribed`: who waits has given up
   */
  async acquire(topic: FeedName, since: Since | undefined, owner: Owner, waiting: Waiting = {}): Promise<TopicFeed> {
    const feed = this.#feeds.get(topic);
    if (feed !== undefined) {
      feed.reserve();
      return feed;
    }
    const opening = this.#opening.get(topic) ?? this.#open(topic, since, owner);
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      opening.waiters.add(waiter);
      waiting.giveUp = () => this.#giveUp(opening, waiter);
    });
  }

  /** A topic that the hub has not been asked for yet costs it nothing: otherwise clients that subscribe and unsubscribe at once would keep it busy. */
  #giveUp(opening: Opening, waiter: Waiter): void {
    const { topic, owner, waiters } = opening;
    const isLast = waiters.size === 1;
    if (!waiters.has(waiter) || (isLast && !this.#openingsOf(topic).takeBack(opening))) return;
    waiters.delete(waiter);
    if (isLast) {
      this.#opening.delete(topic);
      this.#shares.giveBack(topic, owner);
    }
    waiter.reject(new ProtocolError('not_subscribed', SUPERSEDED));
  }

  #open(topic: FeedName, since: Since | undefined, owner: Owner): Opening {
    this.#shares.take(topic, owner);
    const opening: Opening = { topic, since, owner, waiters: new Set() };
    this.#opening.set(topic, opening);
    this.#openingsOf(topic).want(opening);
    return opening;
  }

  opened(message: Extract<ToWorker, { kind: 'opened' }>): void {
    const { topic, topicNumber } = message;
    this.#openingsOf(topic).answered(topic);
    const known = this.#feeds.get(topic);
    if (known !== undefined) return;
    const namespace = this.namespace(topic) as NamespaceOptions;
    const feed = new TopicFeed({ topic, number: topicNumber, namespace, recent: this.recent }, message);
    this.#feeds.set(topic, feed);
    this.#byNumber.set(topicNumber, feed);
    const opening = this.#endOpening(topic);
    if (opening === undefined) return;
    feed.owner = opening.owner;
    feed.reserve(opening.waiters.size);
    for (const { resolve } of opening.waiters) resolve(feed);
  }

  openFailed({ topic, code, message }: Extract<ToWorker, { kind: 'openFailed' }>): void {
    this.#openingsOf(topic).answered(topic);
    const opening = this.#endOpening(topic);
    if (opening === undefined) return;
    this.#shares.giveBack(topic, opening.owner);
    for (const { reject } of opening.waiters) reject(new ProtocolError(code, message));
  }

  #endOpening(topic: FeedName): Opening | undefined {
    const opening = this.#opening.get(topic);
    this.#opening.delete(topic);
    return opening;
  }

  #openingsOf(topic: FeedName): Openings {
    const namespace = namespaceOf(topic);
    const known = this.#openings.get(namespace);
    if (known !== undefined) return known;
    const openings = new Openings(this.#config.tuning.hub.topicOpeningsMax, ({ topic: name, since }) =>
      this.#link.send({ kind: 'open', topic: name, ...(since !== undefined && { since }) }),
    );
    this.#openings.set(namespace, openings);
    return openings;
  }

  /** @returns the feed with this number; undefined: the worker has no subscriber to it any more */
  feedOf(topicNumber: number): TopicFeed | undefined {
    return this.#byNumber.get(topicNumber);
  }

  /** Is it still its topic's? */
  isOpen(feed: TopicFeed): boolean {
    return this.#feeds.get(feed.topic) === feed;
  }

  /** Ends an {@link acquire}: the caller has joined, or no longer wants to. */
  release(feed: TopicFeed): void {
    feed.endReservation();
    this.releaseIfUnused(feed);
  }

  /** A connection of this owner has left it. */
  left(feed: TopicFeed, owner: Owner): void {
    if (feed.isUnused) return this.releaseIfUnused(feed);
    const next = feed.owner === owner ? (feed.anyOwner() ?? owner) : feed.owner;
    if (next === feed.owner) return;
    this.#shares.pass(feed.topic, feed.owner, next);
    feed.owner = next;
  }

  releaseIfUnused(feed: TopicFeed): void {
    const { topic } = feed;
    if (!feed.isUnused || !this.isOpen(feed)) return;
    feed.close();
    this.#feeds.delete(topic);
    this.#byNumber.delete(feed.number);
    this.#shares.giveBack(topic, feed.owner);
    this.#link.send({ kind: 'close', topic });
  }
}
