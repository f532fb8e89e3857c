import type { Config } from '../config/schema.ts';
import { encodeWithItems } from '../fanout/frame.ts';
import type { FanoutItem } from '../fanout/item.ts';
import { rateClassFor } from '../fanout/rate-class.ts';
import { cursorOf, isOvertaken, type Past, recover } from '../fanout/recovery.ts';
import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { parseTopic, type Topic } from '../protocol/topic.ts';
import { assertDepth } from './assert-depth.ts';
import type { Connection, Lagging, Member, Subscription } from './connection.ts';
import { feedStatusOf } from './feed-status.ts';
import { permits } from './identity.ts';
import type { Laggards } from './laggards.ts';
import type { MembershipOptions, Memberships } from './memberships.ts';
import type { PastReader } from './past-reader.ts';
import { sendRecovered } from './recovered.ts';
import type { TopicTable } from './topic-table.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

type Subscribe = ClientMessage<'subscribe'>;

/** What a new member is given with its `subscribed`. */
interface Start {
  readonly recovered: boolean;
  readonly items: readonly FanoutItem[];
  /** What the client had: it may have been past all that the topic has. */
  readonly position?: number;
}

/** Times that a past is read again because the ring has gone on, before the client starts over from the state. */
const OVERTAKEN_MAX = 5;

export interface SubscriberOptions {
  readonly config: Config;
  readonly topics: TopicTable;
  readonly memberships: Memberships;
  readonly laggards: Laggards;
  readonly pasts: PastReader;
  readonly metrics: WorkerMetrics;
}

/** Takes connections into topics and out of them. */
export class Subscriber {
  readonly #config: Config;
  readonly #topics: TopicTable;
  readonly #memberships: Memberships;
  readonly #laggards: Laggards;
  readonly #pasts: PastReader;
  readonly #metrics: WorkerMetrics;

  constructor({ config, topics, memberships, laggards, pasts, metrics }: SubscriberOptions) {
    this.#config = config;
    this.#topics = topics;
    this.#memberships = memberships;
    this.#laggards = laggards;
    this.#pasts = pasts;
    this.#metrics = metrics;
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
    if (current?.kind === 'lagging' && message.since === undefined && message.snapshot !== true) {
      return this.#changeLagging(connection, current, message);
    }
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
      let past = await this.#past(feed, message);
      // One large answer after the other: what does not fit the socket would be held, and the stream behind it is not.
      // And a fast topic's small ring may have gone on behind what was read meanwhile.
      for (let overtaken = 0; stillWanted() && (!connection.hasRoom || (isOvertaken(feed, past) && overtaken++ < OVERTAKEN_MAX)); ) {
        await connection.whenRoom();
        past = await this.#past(feed, message);
      }
      if (stillWanted()) this.#join(connection, feed, message, past);
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
    const namespace = this.#topics.namespace(topic);
    if (namespace === undefined) throw new ProtocolError('unknown_namespace', `no namespace is configured for ${topic}`);
    assertDepth(topic, namespace);
    if (this.#may(connection, topic)) return;
    if (connection.identity.user === null) throw new ProtocolError('unauthorized', `${topic} needs a token`);
    throw new ProtocolError('forbidden', `the token does not permit subscribing to ${topic}`);
  }

  #may(connection: Connection, topic: Topic): boolean {
    return this.#topics.namespace(topic)?.public === true || permits(connection.identity.subscribe, topic);
  }

  async #past(feed: TopicFeed, { since }: Subscribe): Promise<Past | undefined> {
    return since === undefined ? undefined : this.#pasts.read(feed, since);
  }

  #join(connection: Connection, feed: TopicFeed, message: Subscribe, past: Past | undefined): void {
    const minCursor = message.since === undefined ? 0 : cursorOf(feed, message.since);
    const member = this.#memberships.enter(connection, feed, membershipOptions(connection, message), minCursor);
    const start = startOf(feed, member.shard, message, past);
    if (message.since !== undefined) this.#metrics.recovery(start.recovered ? (past === undefined ? 'worker' : 'hub') : 'none');
    this.#reply(connection, message, member, start);
  }

  /** Another `subscribe` to the same topic: to another rate, say. The stream goes on where it was. */
  #change(connection: Connection, current: Member, message: Subscribe): void {
    const { feed, shard: left } = current;
    this.#memberships.change(connection, current, membershipOptions(connection, message), (member) => {
      const { shard } = member;
      // What lies between may have left the ring, behind a slow rate class say: then the state, never a part.
      const recovered = message.snapshot !== true && left.cursor >= feed.ring.first;
      const items = recovered ? feed.ring.slice(left.cursor, shard.cursor) : feed.snapshotFor(shard);
      this.#reply(connection, message, member, { recovered, items });
    });
    // The reply may have closed the connection.
    this.#topics.releaseIfUnused(feed);
  }

  /** The same while the connection lags: it goes on from what it has when it is caught up. */
  #changeLagging(connection: Connection, current: Lagging, message: Subscribe): void {
    const options = membershipOptions(connection, message);
    this.#laggards.change(current, options);
    const { topic, epoch } = current.feed;
    const { rateHz } = options.variant;
    const { offset } = current.position;
    const reply = { type: 'subscribed', id: message.id, topic, epoch, offset, recovered: true, ...(rateHz !== undefined && { rateHz }) };
    connection.sendEncoded(encodeWithItems(connection.codec.encoding, reply, []));
    if (current.feed.awayReason !== null) connection.send(feedStatusOf(current.feed));
  }

  #reply(connection: Connection, { id }: Subscribe, member: Member, { recovered, items, position = 0 }: Start): void {
    const { topic, epoch } = member.feed;
    const { rateHz } = member.options.variant;
    const reply = {
      type: 'subscribed',
      id,
      topic,
      epoch,
      offset: Math.max(member.shard.offset, position),
      recovered,
      ...(rateHz !== undefined && { rateHz }),
    };
    if (recovered) connection.together(() => sendRecovered(connection, member, reply, items, this.#config.fanout.frameBytesMax));
    else connection.sendEncoded(encodeWithItems(connection.codec.encoding, reply, items));
    if (member.feed.awayReason !== null) connection.send(feedStatusOf(member.feed));
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

function startOf(feed: TopicFeed, shard: Shard, { since, snapshot }: Subscribe, past: Past | undefined): Start {
  if (since === undefined) return { recovered: false, items: snapshot === true ? feed.snapshotFor(shard) : [] };
  const items = recover(feed, shard, since, past);
  // Never a part: what cannot be recovered whole starts from the state.
  return items === undefined ? { recovered: false, items: feed.snapshotFor(shard) } : { recovered: true, items, position: since.offset };
}
