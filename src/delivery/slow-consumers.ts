import type { Config } from '../config/schema.ts';
import type { Flush } from '../fanout/flush.ts';
import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Variant } from '../fanout/variant.ts';
import { ERROR_KINDS, ProtocolError } from '../protocol/errors.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Position } from '../recent/position.ts';
import { type CatchingUp, policyOf } from './catching-up.ts';
import type { BeginningFrames } from './first-part.ts';
import { FIRST_PART_BYTES } from './first-part.ts';
import { type Given, GivenFlushes, unsentOf } from './given-flushes.ts';
import { acceptedOf, laggingAt, laggingIn, nextBytesOf } from './lagging.ts';
import { LoopShare } from './loop-share.ts';
import { type Memberships, membersOf, optionsOf } from './memberships.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { Receiver } from './receiver.ts';
import type { Lagging, MembershipOptions } from './subscription.ts';
import type { TopicTable } from './topic-table.ts';

export interface SlowConsumersOptions {
  readonly config: Config;
  readonly topics: TopicTable;
  readonly memberships: Memberships;
  readonly catchingUp: CatchingUp;
  readonly metrics: DeliveryMetrics;
  /** The loop turn's number, as counted by the fan-out. */
  readonly tick: () => number;
  readonly onBug: (error: Error) => void;
}

/** The position of a member in a topic when its socket dropped something. */
interface Drop {
  /** What it certainly has. */
  readonly has: Position;
  /** What it was sent; some of it may be lost. */
  readonly given: Position;
  /** Of the feed, when it dropped: the topic may be reset before the connection leaves its shards. {@link NO_LIFE}: the message that told it about a reset may be lost too. */
  readonly life: number;
}

/** Belongs to no epoch of the feed, so the next step starts over. */
const NO_LIFE = -1;
/** Bytes for all connections that catch up, per loop turn: about as long as one turn of the fan-out. */
const BYTES_PER_TURN = 512 * 1024;

/**
 * Connections that are not in the fast path with all their topics: their sockets do not keep up, or they are new and still get the first items of their
 * streams. In the fast path each of them would cost a buffer; here they have only a position per topic. When the socket has room, they are advanced, one part
 * of one topic after the other, and then rejoin. A connection without progress is closed.
 */
export class SlowConsumers {
  readonly #options: SlowConsumersOptions;
  readonly #share = new LoopShare(BYTES_PER_TURN);
  /** Recorded in `dropped`, where no topic may be left and nothing sent. They leave their shards before the next round. */
  readonly #marked = new Map<Receiver, Map<FeedName, Drop>>();
  /** The same of those that get a large item frame by frame. */
  readonly #given = new GivenFlushes();
  readonly #lagging = new Set<Receiver>();
  /** Connections for which something waits: an answer that their sockets have no room for. */
  readonly #full = new Map<Receiver, { readonly sinceMs: number }>();

  constructor(options: SlowConsumersOptions) {
    this.#options = options;
  }

  /** Connections that fell behind and have not caught up. */
  get count(): number {
    let count = 0;
    for (const { lag } of this.#lagging) if (lag?.fellBehind === true) count++;
    return count;
  }

  /** Subscriptions that are still receiving their first items. */
  get startingCount(): number {
    let count = 0;
    for (const receiver of this.#lagging) for (const { start } of laggingIn(receiver)) if (start !== undefined) count++;
    return count;
  }

  /** Connections that are catching up, those with the oldest progress first. */
  receivers(): Iterable<Receiver> {
    return this.#lagging;
  }

  /**
   * uWS dropped something for this receiver. It reports this once for a batch, and not what exactly, so everything flushed in this loop turn counts as lost.
   * The positions are recorded now, because the next round may come before the connection has left its shards.
   */
  dropped(receiver: Receiver): void {
    if (this.#marked.has(receiver)) return;
    const { metrics } = this.#options;
    const tick = this.#options.tick();
    const unsent = new Map<Variant, Flush>();
    for (const flush of receiver.takeUnsent()) {
      if (!unsent.has(flush.variant)) unsent.set(flush.variant, flush);
      metrics.lost(flush.sent);
    }
    const drops = new Map<FeedName, Drop>();
    for (const [topic, shard] of receiver.subscriptions) {
      if (shard.kind !== 'member') continue;
      const first = unsent.get(shard.variant);
      drops.set(topic, {
        has: first === undefined ? this.#certainPlaceOf(receiver, shard, tick) : { sequence: first.from, offset: first.fromOffset },
        given: { sequence: shard.cursor, offset: shard.offset },
        life: shard.hasLostResync(tick) ? NO_LIFE : shard.variant.feed.life,
      });
      if (first === undefined) metrics.lost(shard.lostIn(tick));
    }
    this.#marked.set(receiver, drops);
    setImmediate(() => this.leaveMarked());
  }

  /** Its members get this frame by frame. They leave it before the next round. */
  give(shard: Shard, flush: Flush): void {
    if (this.#given.isEmpty) setImmediate(() => this.leaveMarked());
    this.#given.add(shard, flush);
  }

  /** Where a member is: what it is being given does not count. */
  placeOf(receiver: Receiver, shard: Shard): Position {
    return this.#given.of(receiver, shard)?.from ?? { sequence: shard.cursor, offset: shard.offset };
  }

  /** The same for one whose socket has dropped something. */
  #certainPlaceOf(receiver: Receiver, shard: Shard, tick: number): Position {
    const place = shard.positionOfDropped(tick);
    const given = this.#given.of(receiver, shard);
    return given !== undefined && given.from.sequence < place.sequence ? given.from : place;
  }

  leaveMarked(): void {
    if (!this.#given.isEmpty) this.#leaveGiven();
    if (this.#marked.size === 0) return;
    const marked = [...this.#marked];
    this.#marked.clear();
    for (const [receiver, drops] of marked) {
      if (!receiver.isOpen) continue;
      for (const [topic, drop] of drops) {
        const subscription = receiver.subscriptions.get(topic);
        if (subscription?.kind === 'member') this.#fallBehind(receiver, subscription, drop);
      }
      // It may have left because of a gap, with a socket that has room, so no event of the socket follows.
      if (receiver.positions !== undefined) this.#goOn(receiver);
    }
  }

  #leaveGiven(): void {
    for (const [receiver, given] of this.#given.all()) {
      if (!receiver.isOpen) continue;
      // Native publish may have queued something that it would lose: all of this loop turn counts as lost.
      if (!receiver.hasRoom) this.dropped(receiver);
      // What waits for it comes before that. If its socket drops some of it, it has fallen behind.
      receiver.sendFrames();
      const drops = this.#marked.get(receiver);
      for (const [topic, one] of given) if (drops?.has(topic) !== true) this.#leaveToBeGiven(receiver, one);
    }
    this.#given.clear();
  }

  #leaveToBeGiven(receiver: Receiver, given: Given): void {
    const { variant, life, from, to } = given;
    const shard = receiver.subscriptions.get(variant.feed.topic);
    // It may have left, or have asked for something else.
    if (shard?.kind !== 'member' || shard.variant !== variant) return;
    const lagging: Lagging = {
      ...laggingAt(variant.feed, optionsOf(receiver, shard), from),
      life,
      // What is published meanwhile comes too, whatever the policy is: it has not fallen behind.
      start: { by: 'replay', fresh: false, until: to },
      unsent: unsentOf(receiver, given),
      partBytes: this.#options.catchingUp.partBytesMax,
    };
    this.#enter(receiver, lagging, false);
    // First, because what native publish has queued for it is sent with this, and is lost when it leaves.
    this.#options.catchingUp.sendFirst(receiver, lagging);
    this.#options.memberships.leave(receiver, shard);
    if (receiver.isOpen) this.#goOn(receiver);
  }

  /** The connection has been sent the beginning of its stream; the rest follows as its socket accepts it. */
  begin(receiver: Receiver, feed: TopicFeed, options: MembershipOptions, rest: NonNullable<BeginningFrames['rest']>): void {
    // The connection is so slow that its socket is full immediately.
    const waited = !receiver.hasRoom;
    this.#enter(
      receiver,
      { ...laggingAt(feed, options, rest.position), start: rest.start, waited, partBytes: 2 * FIRST_PART_BYTES },
      false,
    );
    this.#goOn(receiver);
  }

  /** The topic was reset: its members get the state, each as its socket accepts it. @param shards only these */
  startOver(feed: TopicFeed, reason: string, shards: readonly Shard[] = feed.variants.flatMap((variant) => variant.shards)): void {
    for (const shard of shards) {
      for (const receiver of [...membersOf(shard)]) {
        if (!receiver.isOpen || receiver.subscriptions.get(feed.topic) !== shard) continue;
        const options = optionsOf(receiver, shard);
        this.#options.memberships.leave(receiver, shard);
        this.#enter(receiver, { ...laggingAt(feed, options, feed.head), life: NO_LIFE, resyncReason: reason }, false);
        this.#goOn(receiver);
      }
    }
  }

  /** Resolves when the socket has room for something large, or has closed. A socket without room in time is closed. */
  async whenRoom(receiver: Receiver): Promise<void> {
    while (!receiver.hasRoom) {
      const waiting = { sinceMs: Date.now() };
      this.#full.set(receiver, waiting);
      await receiver.whenRoom();
      if (this.#full.get(receiver) === waiting) this.#full.delete(receiver);
    }
  }

  /** The same, and the loop turn has room for this many bytes in addition to the catching up of others. */
  async whenTurn(receiver: Receiver, bytes: number): Promise<void> {
    await this.whenRoom(receiver);
    await this.#share.take(bytes);
    await this.whenRoom(receiver);
  }

  /** The socket accepted some of what waited for it. */
  drained(receiver: Receiver): void {
    // Before native publish sends anything more, which it does as soon as less than the threshold waits.
    receiver.sendQueued();
    this.#goOn(receiver);
  }

  /** Called about once a second. */
  check(nowMs: number): void {
    const { slowTimeoutMs } = this.#options.config.limits;
    for (const receiver of this.#lagging) {
      if (receiver.lag !== undefined && nowMs - receiver.lag.sinceMs > slowTimeoutMs) receiver.end('tooSlow');
      else this.drained(receiver);
    }
    for (const [receiver, { sinceMs }] of this.#full) if (nowMs - sinceMs > slowTimeoutMs) receiver.end('tooSlow');
  }

  /** The connection has closed, and has no topics any more. */
  gone(receiver: Receiver): void {
    this.#marked.delete(receiver);
    this.#given.forget(receiver);
    this.#full.delete(receiver);
    this.#done(receiver);
  }

  /** The connection requests another variant of the topic meanwhile: it catches up and continues with that one. */
  change({ owner }: Receiver, lagging: Lagging, options: MembershipOptions): void {
    lagging.feed.leaveLagging(lagging.options.variant.selection, owner);
    lagging.feed.enterLagging(options.variant.selection, owner);
    lagging.options = options;
    // It comes again, from its position, in one frame.
    if (options.variant.parts !== true) lagging.unsent = undefined;
  }

  /** The connection no longer subscribes to the topic. */
  forget(receiver: Receiver, subscription: Lagging): void {
    subscription.feed.leaveLagging(subscription.options.variant.selection, receiver.owner);
    if (laggingIn(receiver).every((other) => other === subscription)) this.#done(receiver);
    this.#options.topics.left(subscription.feed, receiver.owner);
  }

  /** Tells those that are catching up in this topic. */
  tell(feed: TopicFeed, message: ServerMessage): void {
    for (const receiver of this.#lagging) {
      if (receiver.subscriptions.get(feed.topic)?.kind === 'lagging') receiver.send(message);
    }
  }

  /**
   * What was sent in the turn of the drop may or may not have arrived. A durable topic sends it again, and the client drops what it has; so does a topic whose
   * policy is the latest state. Other ephemeral topics are delivered at most once: there it counts as lost.
   */
  #fallBehind(receiver: Receiver, shard: Shard, { has: atLeast, given, life }: Drop): void {
    const { feed } = shard.variant;
    const options = optionsOf(receiver, shard);
    // First, because it sends what waits.
    this.#options.memberships.leave(receiver, shard);
    const has = acceptedOf(receiver, shard) ?? atLeast;
    const lagging = { ...laggingAt(feed, options, has), life };
    if (!feed.namespace.durable && policyOf(lagging) === 'replay') {
      lagging.position = given;
      lagging.skipped = given.sequence - has.sequence;
    }
    if (receiver.lag?.fellBehind !== true) this.#options.metrics.laggedTotal.inc();
    lagging.partBytes = this.#options.catchingUp.partBytesMax;
    this.#enter(receiver, lagging, true);
  }

  #enter(receiver: Receiver, lagging: Lagging, fellBehind: boolean): void {
    const { feed } = lagging;
    feed.enterLagging(lagging.options.variant.selection, receiver.owner);
    receiver.subscriptions.set(feed.topic, lagging);
    receiver.lag ??= { sinceMs: Date.now(), catchingUp: false, fellBehind };
    receiver.lag.fellBehind ||= fellBehind;
    this.#lagging.add(receiver);
  }

  #done(receiver: Receiver): void {
    receiver.lag = undefined;
    this.#lagging.delete(receiver);
  }

  #goOn(receiver: Receiver): void {
    const { lag } = receiver;
    if (lag === undefined || lag.catchingUp || !receiver.hasRoom) return;
    lag.catchingUp = true;
    this.#catchUp(receiver)
      .catch((error) => {
        // The log, or the hub's budget, is not available now, but may be in a second.
        if (error instanceof ProtocolError && ERROR_KINDS[error.code].retryable) return;
        this.#options.onBug(error);
        receiver.end('serverError');
      })
      .finally(() => {
        lag.catchingUp = false;
      });
  }

  /** Sends a part of each topic in turn, so that a large topic does not delay small ones. */
  async #catchUp(receiver: Receiver): Promise<void> {
    for (let left = laggingIn(receiver); left.length > 0; left = laggingIn(receiver)) {
      for (const lagging of left) {
        if (!receiver.hasRoom) return this.#waits(left);
        const turn = this.#share.take(nextBytesOf(lagging));
        if (turn !== undefined) await turn;
        if (!receiver.isOpen) return;
        if (receiver.subscriptions.get(lagging.feed.topic) !== lagging) continue;
        const isStart = lagging.start !== undefined;
        await this.#options.catchingUp.step(receiver, lagging);
        // The first items of a new subscription may take long. While there is progress, the connection is not too slow.
        if (isStart && receiver.lag !== undefined) receiver.lag.sinceMs = Date.now();
      }
    }
    if (receiver.lag === undefined || !receiver.isOpen) return;
    if (receiver.lag.fellBehind) this.#options.metrics.rejoined.inc();
    this.#done(receiver);
  }

  #waits(left: readonly Lagging[]): void {
    for (const lagging of left) lagging.waited = true;
  }
}
