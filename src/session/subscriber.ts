import type { Config } from '../config/schema.ts';
import { feedStatusOf } from '../delivery/feed-status.ts';
import { type BeginningFrames, beginningFrames } from '../delivery/first-part.ts';
import type { MembershipOptions, Memberships } from '../delivery/memberships.ts';
import type { MissedReader } from '../delivery/missed-reader.ts';
import type { SlowConsumers } from '../delivery/slow-consumers.ts';
import type { TopicTable } from '../delivery/topic-table.ts';
import type { MissedItems } from '../fanout/catch-up.ts';
import { encodeWithItems } from '../fanout/frame.ts';
import { rateClassFor } from '../fanout/rate-class.ts';
import { type Beginning, cursorOf, FROM_NOW_ON, fromStateOf, goingOn } from '../fanout/recovery.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import { variantName } from '../fanout/variant.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { parseTopic, type Topic } from '../protocol/topic.ts';
import { inPresentLife } from '../recent/lives.ts';
import type { WorkerMetrics } from '../worker/worker-metrics.ts';
import { assertMay, decide } from './access.ts';
import type { Connection, Lagging, Member, Subscription } from './connection.ts';

type Subscribe = ClientMessage<'subscribe'>;

interface BeginningHow {
  readonly options: MembershipOptions;
  readonly beginning: Beginning;
  /** Ring sequence up to which the client has everything. */
  readonly minCursor: number;
  readonly missed?: MissedItems | undefined;
}

export interface SubscriberOptions {
  readonly config: Config;
  readonly topics: TopicTable;
  readonly memberships: Memberships;
  readonly slowConsumers: SlowConsumers;
  readonly missedReader: MissedReader;
  readonly metrics: WorkerMetrics;
}

/** Takes connections into topics and out of them. */
export class Subscriber {
  readonly #config: Config;
  readonly #topics: TopicTable;
  readonly #memberships: Memberships;
  readonly #slowConsumers: SlowConsumers;
  readonly #missedReader: MissedReader;
  readonly #metrics: WorkerMetrics;

  constructor({ config, topics, memberships, slowConsumers, missedReader, metrics }: SubscriberOptions) {
    this.#config = config;
    this.#topics = topics;
    this.#memberships = memberships;
    this.#slowConsumers = slowConsumers;
    this.#missedReader = missedReader;
    this.#metrics = metrics;
  }

  /**
   * @throws ProtocolError `bad_topic`, `unknown_namespace`, `unauthorized`, `forbidden`, `too_many_topics`, `busy`, `unavailable`,
   * `not_subscribed` (the client has changed its mind meanwhile)
   */
  async subscribe(connection: Connection, message: Subscribe): Promise<void> {
    const topic = this.#topics.nameOf(parseTopic(message.topic));
    assertMay(connection.identity, 'subscribe', this.#topics.namespace(topic), topic);
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
      const answered = await this.#begin(connection, feed, inLifeOf(feed, message), stillWanted);
      if (!answered)
        throw new ProtocolError('not_subscribed', 'another subscribe or unsubscribe to the topic came before this one was done');
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
    this.#slowConsumers.gone(connection);
    this.#memberships.gone(connection);
  }

  /** A refreshed token may permit less: what it does not permit any more ends. @returns the topics that ended */
  endForbidden(connection: Connection): Topic[] {
    const ended = [...connection.subscriptions.keys()].filter(
      (topic) => !decide(connection.identity, 'subscribe', this.#topics.namespace(topic), topic).allowed,
    );
    for (const topic of ended) {
      this.#removeMember(connection, topic);
      connection.subscriptions.delete(topic);
    }
    return ended;
  }

  /**
   * Joins as soon as the socket has room: what does not fit it would be held, and the stream behind it is not. What only the hub knows is asked for then, for
   * one topic of a connection after the other: it may be much.
   * @returns false when the client has changed its mind
   */
  async #begin(connection: Connection, feed: TopicFeed, message: Subscribe, stillWanted: () => boolean): Promise<boolean> {
    const { since } = message;
    await this.#slowConsumers.whenRoom(connection);
    if (!stillWanted()) return false;
    const known = since && this.#missedReader.known(feed, since);
    if (since === undefined || known !== 'ask') {
      this.#join(connection, feed, message, known === 'ask' ? undefined : known);
      return true;
    }
    return connection.inTurn(async () => {
      await this.#slowConsumers.whenRoom(connection);
      const missed = stillWanted() ? await this.#missedReader.read(feed, since) : undefined;
      if (!stillWanted()) return false;
      this.#join(connection, feed, message, missed);
      return true;
    });
  }

  #join(connection: Connection, feed: TopicFeed, message: Subscribe, missed: MissedItems | undefined): void {
    const { since, snapshot } = message;
    const options = membershipOptions(connection, message);
    const beginning = since !== undefined ? goingOn(feed, since, missed) : snapshot === true ? fromStateOf(feed) : FROM_NOW_ON;
    const minCursor = since !== undefined && beginning.recovered ? cursorOf(feed, since) : startOf(feed);
    if (since !== undefined) this.#metrics.recovery(beginning.recovered ? (missed === undefined ? 'worker' : 'hub') : 'none');
    const { first, rest } = this.#beginning(connection, feed, message, { options, beginning, minCursor, missed });
    if (!this.#answer(connection, feed, first)) return;
    if (rest !== undefined) return this.#slowConsumers.begin(connection, feed, options, rest);
    this.#memberships.listen(connection, this.#memberships.enter(connection, feed, options, minCursor));
  }

  #beginning(connection: Connection, feed: TopicFeed, { id }: Subscribe, how: BeginningHow): BeginningFrames {
    const { beginning, options, minCursor, missed } = how;
    const { rateHz } = options.variant;
    const { topic, epoch } = feed;
    const message = { type: 'subscribed', id, topic, epoch, recovered: beginning.recovered, ...(rateHz !== undefined && { rateHz }) };
    return beginningFrames(feed, {
      beginning,
      until: this.#memberships.placeOf(connection, feed, options, minCursor),
      message,
      encoding: connection.codec.encoding,
      frameBytesMax: this.#config.tuning.fanout.frameBytesMax,
      missed,
    });
  }

  /** Another `subscribe` to the same topic: to another rate, say. The stream goes on where it was. */
  #change(connection: Connection, current: Member, message: Subscribe): void {
    const { feed, shard: left } = current;
    const options = membershipOptions(connection, message);
    // What lies between may have left the ring, behind a slow rate class say: then the state, never a part.
    const goesOn = message.snapshot !== true && left.cursor >= feed.ring.first;
    const position = { sequence: left.cursor, offset: left.offset };
    const beginning: Beginning = goesOn ? { recovered: true, position, start: { by: 'replay', fresh: false } } : fromStateOf(feed);
    const { first, rest } = this.#beginning(connection, feed, message, { options, beginning, minCursor: left.cursor });
    if (rest === undefined) {
      this.#memberships.change(connection, current, options, (member) => {
        this.#answer(connection, feed, first);
        this.#memberships.listen(connection, member);
      });
    } else {
      // First, since what native publish has queued for the socket goes out before what is sent to it, and is forgotten when it leaves.
      if (this.#answer(connection, feed, first)) {
        feed.reserve();
        this.#memberships.leave(connection, current);
        this.#slowConsumers.begin(connection, feed, options, rest);
        feed.endReservation();
      }
    }
    // The reply may have closed the connection.
    this.#topics.releaseIfUnused(feed);
  }

  /** @returns false when that was one message too many for the connection */
  #answer(connection: Connection, feed: TopicFeed, first: Uint8Array): boolean {
    connection.sendEncoded(first);
    if (feed.awayReason !== null) connection.send(feedStatusOf(feed));
    return connection.socket !== undefined;
  }

  /** The same while it is being caught up: it goes on from what it has. */
  #changeLagging(connection: Connection, current: Lagging, message: Subscribe): void {
    const options = membershipOptions(connection, message);
    this.#slowConsumers.change(current, options);
    const { topic, epoch } = current.feed;
    const { rateHz } = options.variant;
    const { position, start } = current;
    const { offset } = position;
    const more = start !== undefined && start.until.offset > offset;
    const reply = {
      type: 'subscribed',
      id: message.id,
      topic,
      epoch,
      offset,
      recovered: true,
      ...(rateHz !== undefined && { rateHz }),
      ...(more && { upTo: start.until.offset }),
    };
    this.#answer(connection, current.feed, encodeWithItems(connection.codec.encoding, reply, []));
  }

  #removeMember(connection: Connection, topic: Topic): void {
    const subscription = connection.subscriptions.get(topic);
    if (subscription === undefined || subscription.kind === 'pending') return;
    if (subscription.kind === 'lagging') return this.#slowConsumers.forget(connection, subscription);
    this.#memberships.leave(connection, subscription);
    this.#topics.releaseIfUnused(subscription.feed);
  }
}

/**
 * Where a new member's stream begins. What waits in a shard was published before it came. In a durable topic that does no harm: it is told where its stream
 * begins. In an ephemeral one nothing tells it, and it may have had that already, by the subscription before this one.
 */
function startOf({ namespace, ring }: TopicFeed): number {
  return namespace.durable ? 0 : ring.next;
}

/** The same, with its position in the topic's present life, where it holds there. */
function inLifeOf(feed: TopicFeed, message: Subscribe): Subscribe {
  return message.since === undefined ? message : { ...message, since: inPresentLife(feed, message.since) };
}

/** By what is in them. Each subscription keeps its own, so equal ones are the same object; a few dozen can be told apart. */
const knownOptions = new Map<string, MembershipOptions>();

function membershipOptions({ codec, deflate }: Connection, { maxRateHz, echo }: Subscribe): MembershipOptions {
  const { encoding } = codec;
  const rateHz = maxRateHz === undefined ? undefined : rateClassFor(maxRateHz);
  const variant = { encoding, deflate: deflate && encoding === 'msgpack', rateHz };
  const name = `${variantName(variant)} ${echo !== false}`;
  const options = knownOptions.get(name) ?? { variant, echo: echo !== false };
  knownOptions.set(name, options);
  return options;
}
