import type { MissedItems } from '../fanout/catch-up.ts';
import { encodeWithItems } from '../fanout/frame.ts';
import { type Beginning, cursorOf, FROM_NOW_ON, fromStateOf, goingOn } from '../fanout/recovery.ts';
import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Member as PresenceMember } from '../presence/member.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { addressOf, type FeedName, isWholeTopic } from '../protocol/feed-name.ts';
import { hasDocuments } from '../protocol/feed-state.ts';
import type { Topic } from '../protocol/topic.ts';
import { inPresentLife, type Since } from '../recent/lives.ts';
import { feedStatusOf } from './feed-status.ts';
import { type BeginningFrames, beginningFrames } from './first-part.ts';
import { membershipOptions, needsState, type SelectionLimits, selectionFor, type Wishes, withSelection } from './membership-options.ts';
import type { Memberships } from './memberships.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { MissedReader } from './missed-reader.ts';
import type { NamespaceMessages } from './namespace-messages.ts';
import type { Presence } from './presence.ts';
import type { Receiver } from './receiver.ts';
import type { SlowConsumers } from './slow-consumers.ts';
import { movedTo } from './stream-positions.ts';
import type { Lagging, MembershipOptions, Pending, Subscription } from './subscription.ts';
import { SUPERSEDED, type TopicTable } from './topic-table.ts';

/** The options of a `subscribe`, besides its topic. */
export interface Wish extends Wishes {
  /** Of the answer. */
  readonly id: number;
  readonly since?: Since | undefined;
  /** Without `since`: the position before what was stored at that time or later. */
  readonly sinceMs?: number | undefined;
  readonly snapshot?: boolean | undefined;
  /** Who it is, where the topic has presence. */
  readonly member?: (() => PresenceMember) | undefined;
  /** Be told who else is there. */
  readonly presence?: boolean | undefined;
}

const RESERVED: Pending = { kind: 'pending' };

interface BeginningHow {
  readonly options: MembershipOptions;
  readonly beginning: Beginning;
  /** Ring sequence up to which the client has everything. */
  readonly minCursor: number;
  readonly missed?: MissedItems | undefined;
}

export interface SubscriptionsOptions {
  /** Of a frame. */
  readonly frameBytesMax: number;
  readonly selectionLimits: SelectionLimits;
  readonly topics: TopicTable;
  readonly memberships: Memberships;
  readonly slowConsumers: SlowConsumers;
  readonly missedReader: MissedReader;
  /** Undefined: no namespace has it. */
  readonly presence: Presence | undefined;
  readonly namespaceMessages: NamespaceMessages;
  readonly metrics: DeliveryMetrics;
}

/** Subscribes and unsubscribes connections. Whether they may subscribe is decided elsewhere. */
export class Subscriptions {
  readonly #frameBytesMax: number;
  readonly #selectionLimits: SelectionLimits;
  readonly #topics: TopicTable;
  readonly #memberships: Memberships;
  readonly #slowConsumers: SlowConsumers;
  readonly #missedReader: MissedReader;
  readonly #presence: Presence | undefined;
  readonly #namespaceMessages: NamespaceMessages;
  readonly #metrics: DeliveryMetrics;

  constructor(options: SubscriptionsOptions) {
    const { frameBytesMax, selectionLimits, topics, memberships, slowConsumers, missedReader, presence, namespaceMessages, metrics } =
      options;
    this.#frameBytesMax = frameBytesMax;
    this.#selectionLimits = selectionLimits;
    this.#topics = topics;
    this.#memberships = memberships;
    this.#slowConsumers = slowConsumers;
    this.#missedReader = missedReader;
    this.#presence = presence;
    this.#namespaceMessages = namespaceMessages;
    this.#metrics = metrics;
  }

  /**
   * Answers with `subscribed` and the first items of the stream.
   *
   * @returns undefined: it has been answered
   * @throws ProtocolError `not_subscribed` (superseded by a later command), `busy`, `unavailable`, and the hub's errors about the topic
   */
  subscribe(receiver: Receiver, name: FeedName, asked: Wish): Promise<void> | undefined {
    const topic = this.#topics.nameOf(name);
    const wish = withSelection(asked);
    const { member } = wish;
    // Who follows a part of a topic is none of its members.
    if (member === undefined || !isWholeTopic(topic)) return this.#subscribe(receiver, topic, wish);
    return this.#subscribeAs(member, receiver, topic, wish);
  }

  async #subscribeAs(member: () => PresenceMember, receiver: Receiver, topic: Topic, wish: Wish): Promise<void> {
    await this.#subscribe(receiver, topic, wish);
    if (receiver.isOpen && receiver.subscriptions.has(topic)) this.#presence?.subscribed(receiver, topic, member(), wish.presence === true);
  }

  #subscribe(receiver: Receiver, topic: FeedName, wish: Wish): Promise<void> | undefined {
    const current = receiver.subscriptions.get(topic);
    if (current !== undefined) {
      if (this.#changeCurrent(receiver, current, wish)) return undefined;
      // If there are too many selections, what is subscribed stays as it is.
      const open = wish.selection && this.#topics.get(topic);
      if (open !== undefined) selectionFor(receiver, open, wish, this.#selectionLimits);
      this.#leave(receiver, current);
    }
    // Nearly always: without the objects that a wait needs.
    return this.#joinNow(receiver, topic, wish) ? undefined : this.#joinLater(receiver, topic, wish);
  }

  /** @returns false if it begins anew */
  #changeCurrent(receiver: Receiver, current: Subscription, wish: Wish): boolean {
    if (wish.since !== undefined || wish.sinceMs !== undefined) return false;
    if (current.kind === 'member') {
      this.#change(receiver, current, wish);
      return true;
    }
    if (current.kind !== 'lagging' || wish.snapshot === true) return false;
    const options = this.#optionsOf(receiver, current.feed, wish);
    if (needsState(options, current.options.variant)) return false;
    this.#changeLagging(receiver, current, wish, options);
    return true;
  }

  async #joinLater(receiver: Receiver, topic: FeedName, wish: Wish): Promise<void> {
    const pending: Pending = { kind: 'pending' };
    receiver.subscriptions.set(topic, pending);
    const stillWanted = () => receiver.isOpen && receiver.subscriptions.get(topic) === pending;
    let feed: TopicFeed | undefined;
    try {
      feed = await this.#topics.acquire(topic, wish.since, receiver.owner, pending);
      pending.giveUp = undefined;
      const since = wish.sinceMs === undefined ? wish.since : await this.#missedReader.placeOf(topic, wish.sinceMs);
      const answered = await this.#begin(receiver, feed, inLifeOf(feed, { ...wish, since }), stillWanted);
      if (!answered) throw new ProtocolError('not_subscribed', SUPERSEDED);
    } catch (error) {
      if (stillWanted()) {
        receiver.subscriptions.delete(topic);
        this.#ended(receiver, topic);
      }
      throw error;
    } finally {
      if (feed !== undefined) this.#topics.release(feed);
    }
  }

  /** @returns false if the topic must be opened first, the socket has no room, or only the hub knows what was missed */
  #joinNow(receiver: Receiver, topic: FeedName, asked: Wish): boolean {
    const feed = receiver.hasRoom && asked.sinceMs === undefined ? this.#topics.get(topic) : undefined;
    return feed !== undefined && this.#joinIfKnown(receiver, feed, inLifeOf(feed, asked));
  }

  /** @returns false if only the hub knows what was missed */
  #joinIfKnown(receiver: Receiver, feed: TopicFeed, wish: Wish): boolean {
    const known = wish.since && this.#missedReader.known(feed, wish.since);
    if (known === 'ask') return false;
    this.#join(receiver, feed, wish, known);
    return true;
  }

  /** Takes the topic's place for a subscribe that is not decided yet, so that it can be ended. What is subscribed stays as it is. */
  reserve({ subscriptions }: Receiver, topic: FeedName): void {
    if (!subscriptions.has(topic)) subscriptions.set(this.#topics.nameOf(topic), RESERVED);
  }

  /** Gives up a place of {@link reserve} that has not become a subscription. */
  letGo({ subscriptions }: Receiver, topic: FeedName): void {
    if (subscriptions.get(topic) === RESERVED) subscriptions.delete(topic);
  }

  /** @returns false if there is no such subscription */
  end(receiver: Receiver, topic: FeedName): boolean {
    const subscription = receiver.subscriptions.get(topic);
    if (subscription === undefined) return false;
    this.#leave(receiver, subscription);
    receiver.subscriptions.delete(topic);
    this.#ended(receiver, topic);
    return true;
  }

  #ended(receiver: Receiver, topic: FeedName): void {
    this.#presence?.ended(receiver, topic as Topic);
    this.#namespaceMessages.ended(receiver, topic);
  }

  /** The connection has closed, and its socket has already left its shards. One topic a step. */
  *endAll(receiver: Receiver): Generator<undefined, void> {
    if (this.#presence !== undefined) yield* this.#presence.closed(receiver);
    const { subscriptions } = receiver;
    for (const topic of subscriptions.keys()) {
      // As it is now: shards may have been merged or divided meanwhile.
      this.#leave(receiver, subscriptions.get(topic) as Subscription);
      subscriptions.delete(topic);
      yield;
    }
    this.#namespaceMessages.closed(receiver);
    this.#slowConsumers.gone(receiver);
    this.#memberships.gone(receiver);
  }

  /**
   * Joins as soon as the socket has room: what does not fit into it would be queued, but the stream after it would not. What only the hub knows is requested
   * then, for one topic of a connection after the other, because it may be much. @returns false if a later command superseded it
   */
  async #begin(receiver: Receiver, feed: TopicFeed, wish: Wish, stillWanted: () => boolean): Promise<boolean> {
    const { since } = wish;
    // Room for one of those that waited, not for all: of a thousand topics that were asked for together each looks again.
    while (!receiver.hasRoom) await this.#slowConsumers.whenRoom(receiver);
    if (!stillWanted()) return false;
    if (this.#joinIfKnown(receiver, feed, wish) || since === undefined) return true;
    return receiver.inTurn(async () => {
      await this.#slowConsumers.whenRoom(receiver);
      const missed = stillWanted() ? await this.#missedReader.read(feed, since) : undefined;
      if (!stillWanted()) return false;
      this.#join(receiver, feed, wish, missed);
      return true;
    });
  }

  #optionsOf(receiver: Receiver, feed: TopicFeed, wish: Wish): MembershipOptions {
    return membershipOptions(receiver, feed, wish, this.#selectionLimits);
  }

  #join(receiver: Receiver, feed: TopicFeed, wish: Wish, missed: MissedItems | undefined): void {
    const { since, snapshot } = wish;
    const options = this.#optionsOf(receiver, feed, wish);
    const beginning =
      since !== undefined
        ? goingOn(feed, since, missed)
        : snapshot === true || hasDocuments(feed.namespace) || options.variant.delta
          ? fromStateOf(feed)
          : FROM_NOW_ON;
    const isReplay = since !== undefined && beginning.recovered && !(options.variant.delta && beginning.start?.by === 'state');
    const minCursor = feed.latest.isWalk ? feed.ring.next : isReplay ? cursorOf(feed, since) : startOf(feed, options);
    if (since !== undefined) this.#metrics.recovery(beginning.recovered ? (missed === undefined ? 'worker' : 'hub') : 'none');
    const { first, offset, rest } = this.#beginning(receiver, feed, wish, { options, beginning, minCursor, missed });
    if (!this.#answer(receiver, feed, first, offset)) return;
    this.#namespaceMessages.subscribed(receiver, feed.topic);
    if (rest !== undefined) return this.#slowConsumers.begin(receiver, feed, options, rest);
    this.#memberships.listen(receiver, this.#memberships.enter(receiver, feed, options, minCursor));
  }

  #beginning(receiver: Receiver, feed: TopicFeed, { id }: Wish, how: BeginningHow): BeginningFrames {
    const { beginning, options, minCursor, missed } = how;
    const { topic, key } = addressOf(feed.topic);
    // Undefined fields are not written. Without the copies of conditional ones: this is what each returning client gets for each topic.
    const message = {
      type: 'subscribed',
      id,
      topic,
      key,
      epoch: feed.epoch,
      recovered: beginning.recovered,
      rateHz: options.variant.rateHz,
      state: feed.isUnavailable ? 'unavailable' : undefined,
      stale: feed.stale ?? undefined,
      offset: 0,
      upTo: undefined,
    };
    return beginningFrames(feed, {
      beginning,
      until: this.#memberships.placeOf(receiver, feed, options, minCursor),
      message,
      form: options.variant,
      frameBytesMax: this.#frameBytesMax,
      missed,
    });
  }

  /** Another `subscribe` to the same topic, for example with another rate. The stream continues at its position. */
  #change(receiver: Receiver, left: Shard, wish: Wish): void {
    const { feed } = left.variant;
    const options = this.#optionsOf(receiver, feed, wish);
    // What lies in between may have left the ring, for example with a slow rate class: then the client gets the whole state.
    const position = this.#slowConsumers.placeOf(receiver, left);
    const goesOn = wish.snapshot !== true && position.sequence >= feed.ring.first && !needsState(options, left.variant.options);
    const beginning: Beginning = goesOn ? { recovered: true, position, start: { by: 'replay', fresh: false } } : fromStateOf(feed);
    const minCursor = feed.latest.isWalk || (options.variant.delta && !goesOn) ? feed.ring.next : left.cursor;
    const { first, offset, rest } = this.#beginning(receiver, feed, wish, { options, beginning, minCursor });
    if (rest === undefined) {
      this.#memberships.change(receiver, left, options, (shard) => {
        this.#answer(receiver, feed, first, offset);
        this.#memberships.listen(receiver, shard);
      });
    } else {
      // First, because what native publish has queued for the socket must be sent before what is sent to it directly, and is lost when it leaves.
      if (this.#answer(receiver, feed, first, offset)) {
        feed.reserve();
        this.#memberships.leave(receiver, left);
        this.#slowConsumers.begin(receiver, feed, options, rest);
        feed.endReservation();
      }
    }
    // The answer may have closed the connection.
    this.#topics.releaseIfUnused(feed);
  }

  /** @returns false if this was one message too many for the connection */
  #answer(receiver: Receiver, feed: TopicFeed, first: Uint8Array, offset: number): boolean {
    receiver.sendEncoded(first, receiver.positions && movedTo(feed, { prev: 0, offset }));
    if (feed.awayReason !== null) receiver.send(feedStatusOf(feed));
    return receiver.isOpen;
  }

  /** The same while it is catching up: it continues from what it has. */
  #changeLagging(receiver: Receiver, current: Lagging, wish: Wish, options: MembershipOptions): void {
    this.#slowConsumers.change(receiver, current, options);
    const { topic, epoch, stale } = current.feed;
    const { rateHz } = options.variant;
    const { position, start } = current;
    const { offset } = position;
    const more = start !== undefined && start.until.offset > offset;
    const reply = {
      type: 'subscribed',
      id: wish.id,
      ...addressOf(topic),
      epoch,
      offset,
      recovered: true,
      ...(rateHz !== undefined && { rateHz }),
      ...(stale !== null && { stale }),
      ...(more && { upTo: start.until.offset }),
    };
    this.#answer(receiver, current.feed, encodeWithItems(options.variant, reply, []), offset);
  }

  #leave(receiver: Receiver, subscription: Subscription): void {
    if (subscription.kind === 'pending') return subscription.giveUp?.();
    if (subscription.kind === 'lagging') return this.#slowConsumers.forget(receiver, subscription);
    this.#memberships.leave(receiver, subscription);
    this.#topics.left(subscription.variant.feed, receiver.owner);
  }
}

/**
 * Where a new member's stream begins. What waits in a shard was published before it joined. In a durable topic that does no harm, because it is told where its
 * stream begins. In an ephemeral topic nothing tells it, and it may have had that already, by the previous subscription.
 */
function startOf({ namespace, ring }: TopicFeed, { variant }: MembershipOptions): number {
  // A state leaves out what changes again in the stream, but a change takes the value before it.
  return namespace.durable && !variant.delta ? 0 : ring.next;
}

/** The same, with its position converted to the topic's current epoch, if it is valid there. */
function inLifeOf(feed: TopicFeed, wish: Wish): Wish {
  // In the middle of a walk a client has some keys as they were after its position, perhaps as the log has never been in this life.
  if (wish.since === undefined || feed.latest.isWalk) return wish;
  const since = inPresentLife(feed, wish.since);
  return since === wish.since ? wish : { ...wish, since };
}
