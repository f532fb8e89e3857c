import type { Config } from '../config/schema.ts';
import { encodeWithItems } from '../fanout/frame.ts';
import { FanoutItem } from '../fanout/item.ts';
import { rateClassFor } from '../fanout/rate-class.ts';
import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { HistoryAnswer } from '../link/messages.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { parseTopic, type Topic } from '../protocol/topic.ts';
import type { Connection, Member, Subscription } from './connection.ts';
import type { HubClient } from './hub-client.ts';
import { permits } from './identity.ts';
import type { Laggards } from './laggards.ts';
import type { MembershipOptions, Memberships } from './memberships.ts';
import type { TopicTable } from './topic-table.ts';

type Subscribe = ClientMessage<'subscribe'>;

/** What a new member is given with its `subscribed`. */
interface Start {
  readonly recovered: boolean;
  readonly items: readonly FanoutItem[];
}

/** Publications that one `subscribe` brings back at most; more is a snapshot instead. */
const RECOVERY_ITEMS_MAX = 10_000;

export interface SubscriberOptions {
  readonly config: Config;
  readonly topics: TopicTable;
  readonly memberships: Memberships;
  readonly laggards: Laggards;
  readonly hub: HubClient;
}

/** Takes connections into topics and out of them. */
export class Subscriber {
  readonly #config: Config;
  readonly #topics: TopicTable;
  readonly #memberships: Memberships;
  readonly #laggards: Laggards;
  readonly #hub: HubClient;

  constructor({ config, topics, memberships, laggards, hub }: SubscriberOptions) {
    this.#config = config;
    this.#topics = topics;
    this.#memberships = memberships;
    this.#laggards = laggards;
    this.#hub = hub;
  }

  /**
   * @throws ProtocolError `bad_topic`, `unknown_namespace`, `unauthorized`, `forbidden`, `too_many_topics`, `busy`, `unavailable`,
   * `not_subscribed` (the client has changed its mind meanwhile)
   */
  async subscribe(connection: Connection, message: Subscribe): Promise<void> {
    const topic = parseTopic(message.topic);
    this.#assertMay(connection, topic);
    const current = connection.subscriptions.get(topic);
    if (current?.kind === 'member' && message.since === undefined) return this.#change(connection, current, message);
    this.#removeMember(connection, topic);
    if (current === undefined && connection.subscriptions.size >= this.#config.limits.topicsPerConnectionMax) {
      throw new ProtocolError('too_many_topics', `${this.#config.limits.topicsPerConnectionMax} topics a connection`);
    }
    const pending: Subscription = { kind: 'pending' };
    connection.subscriptions.set(topic, pending);
    const stillWanted = () => connection.socket !== undefined && connection.subscriptions.get(topic) === pending;
    let feed: TopicFeed | undefined;
    try {
      feed = await this.#topics.hold(topic);
      const missed = await this.#missed(feed, message);
      if (stillWanted()) this.#join(connection, feed, message, missed);
      else throw new ProtocolError('not_subscribed', 'another subscribe or unsubscribe to the topic came before this one was done');
    } catch (error) {
      if (stillWanted()) connection.subscriptions.delete(topic);
      throw error;
    } finally {
      if (feed !== undefined) this.#topics.release(feed);
    }
  }

  /** @throws ProtocolError `bad_topic`, `not_subscribed` */
  unsubscribe(connection: Connection, message: ClientMessage<'unsubscribe'>): void {
    const topic = parseTopic(message.topic);
    if (!connection.subscriptions.has(topic)) throw new ProtocolError('not_subscribed', `not subscribed to ${topic}`);
    this.#removeMember(connection, topic);
    connection.subscriptions.delete(topic);
    connection.send({ type: 'unsubscribed', id: message.id, topic });
  }

  /** The connection is gone; uWS has already left its native topics. */
  removeAll(connection: Connection): void {
    for (const topic of connection.subscriptions.keys()) this.#removeMember(connection, topic);
    connection.subscriptions.clear();
    this.#laggards.gone(connection);
  }

  /** A refreshed token may permit less: what it does not permit any more ends. @returns the topics that ended */
  endForbidden(connection: Connection): Topic[] {
    const ended = [...connection.subscriptions.keys()].filter((topic) => !this.#may(connection, topic));
    for (const topic of ended) {
      this.#removeMember(connection, topic);
      connection.subscriptions.delete(topic);
    }
    return ended;
  }

  #assertMay(connection: Connection, topic: Topic): void {
    if (this.#topics.namespace(topic) === undefined)
      throw new ProtocolError('unknown_namespace', `no namespace is configured for ${topic}`);
    if (this.#may(connection, topic)) return;
    if (connection.identity.user === null) throw new ProtocolError('unauthorized', `${topic} needs a token`);
    throw new ProtocolError('forbidden', `the token does not permit subscribing to ${topic}`);
  }

  #may(connection: Connection, topic: Topic): boolean {
    return this.#topics.namespace(topic)?.public === true || permits(connection.identity.subscribe, topic);
  }

  /**
   * What the log says about the time since the client's position, when the worker's own ring does not reach back so far.
   * Read before the client joins, so that what comes meanwhile is in the ring when it does.
   */
  async #missed(feed: TopicFeed, { since }: Subscribe): Promise<HistoryAnswer | undefined> {
    if (since === undefined || !feed.namespace.durable || since.epoch !== feed.epoch) return undefined;
    if (feed.ring.sequenceAfter(since.offset) !== undefined || since.offset > feed.ring.headOffset) return undefined;
    return await this.#hub.read({ topic: feed.topic, epoch: since.epoch, after: since.offset, limit: RECOVERY_ITEMS_MAX });
  }

  #join(connection: Connection, feed: TopicFeed, message: Subscribe, missed: HistoryAnswer | undefined): void {
    const minCursor = message.since === undefined ? 0 : (feed.ring.sequenceAfter(message.since.offset) ?? 0);
    const member = this.#memberships.enter(connection, feed, membershipOptions(connection, message), minCursor);
    this.#reply(connection, message, member, start(feed, member.shard, message, missed));
  }

  /** Another `subscribe` to the same topic: to another rate, say. The stream goes on where it was. */
  #change(connection: Connection, current: Member, message: Subscribe): void {
    const { feed, shard: left } = current;
    this.#memberships.change(connection, current, membershipOptions(connection, message), (member) => {
      const { shard } = member;
      const items = message.snapshot === true ? feed.snapshotFor(shard) : feed.ring.slice(left.cursor, shard.cursor);
      this.#reply(connection, message, member, { recovered: message.snapshot !== true, items });
    });
    // The reply may have closed the connection.
    this.#topics.releaseIfUnused(feed);
  }

  #reply(connection: Connection, { id }: Subscribe, member: Member, { recovered, items }: Start): void {
    const { topic, epoch } = member.feed;
    const { rateHz } = member.options.variant;
    const reply = { type: 'subscribed', id, topic, epoch, offset: member.shard.offset, recovered, ...(rateHz !== undefined && { rateHz }) };
    connection.sendEncoded(encodeWithItems(connection.codec.encoding, reply, items));
    this.#memberships.listen(connection, member);
  }

  #removeMember(connection: Connection, topic: Topic): void {
    const subscription = connection.subscriptions.get(topic);
    if (subscription === undefined || subscription.kind === 'pending') return;
    if (subscription.kind === 'lagging') return this.#laggards.forget(connection, subscription);
    this.#memberships.leave(connection, subscription);
    this.#topics.releaseIfUnused(subscription.feed);
  }
}

function membershipOptions({ codec, deflate }: Connection, { maxRateHz, echo }: Subscribe): MembershipOptions {
  const { encoding } = codec;
  const rateHz = maxRateHz === undefined ? undefined : rateClassFor(maxRateHz);
  return { variant: { encoding, deflate: deflate && encoding === 'msgpack', rateHz }, echo: echo !== false };
}

function start(feed: TopicFeed, shard: Shard, { since, snapshot }: Subscribe, missed: HistoryAnswer | undefined): Start {
  if (since === undefined) return { recovered: false, items: snapshot === true ? feed.snapshotFor(shard) : [] };
  const items = recover(feed, shard, since, missed);
  // Never a part: what cannot be recovered whole starts from the state.
  return items === undefined ? { recovered: false, items: feed.snapshotFor(shard) } : { recovered: true, items };
}

/** Everything after `since` up to the shard's cursor, or undefined when that cannot be proven. */
function recover(
  feed: TopicFeed,
  shard: Shard,
  since: NonNullable<Subscribe['since']>,
  missed: HistoryAnswer | undefined,
): FanoutItem[] | undefined {
  if (!feed.namespace.durable || since.epoch !== feed.epoch) return undefined;
  if (missed === undefined) return feed.missedBetween(since.offset, shard);
  if (!missed.complete || missed.more || missed.epoch !== feed.epoch) return undefined;
  const fromLog = missed.items.filter((item) => item.offset <= shard.offset).map((item) => new FanoutItem(item, 0));
  const fromRing = missed.offset >= shard.offset ? [] : feed.missedBetween(missed.offset, shard);
  return fromRing === undefined ? undefined : [...fromLog, ...fromRing];
}
