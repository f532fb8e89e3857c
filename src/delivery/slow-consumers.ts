import type { Config } from '../config/schema.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import { ERROR_KINDS, ProtocolError } from '../protocol/errors.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import type { Position } from '../recent/position.ts';
import { type CatchingUp, policyOf } from './catching-up.ts';
import type { BeginningFrames } from './first-part.ts';
import { FIRST_PART_BYTES } from './first-part.ts';
import { LoopShare } from './loop-share.ts';
import { type Memberships, membersOf } from './memberships.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { Receiver } from './receiver.ts';
import type { Lagging, Member, MembershipOptions } from './subscription.ts';
import type { TopicTable } from './topic-table.ts';

export interface SlowConsumersOptions {
  readonly config: Config;
  readonly topics: TopicTable;
  readonly memberships: Memberships;
  readonly catchingUp: CatchingUp;
  readonly metrics: DeliveryMetrics;
  /** The loop turn's number, as the fan-out counts it. */
  readonly tick: () => number;
  readonly onBug: (error: Error) => void;
}

/** Where a member stood in a topic when its socket dropped something. */
interface Drop {
  /** What it surely has. */
  readonly has: Position;
  /** What it was given: some of it may be lost. */
  readonly given: Position;
  /** Perhaps the message that told it to start over, too. */
  readonly startsOver: boolean;
}

/** Of no life of the feed: the next step is to start over. */
const NO_LIFE = -1;
/** What all that catch up are given in one loop turn: about as long as one turn of the fan-out. */
const BYTES_PER_TURN = 512 * 1024;

/**
 * Connections that are not in the fast path with all their topics: their sockets do not keep up, or they have only just come and are given what their streams
 * start with. In the fast path each of them would cost a buffer; here they have nothing but a position per topic. When the socket has room they are
 * brought forward, one part of one topic after the other, and then join. One that does not get on is closed.
 */
export class SlowConsumers {
  readonly #options: SlowConsumersOptions;
  readonly #share = new LoopShare(BYTES_PER_TURN);
  /** Seen in `dropped`, where nothing may be left or sent; they leave before the next round. */
  readonly #marked = new Map<Receiver, Map<Topic, Drop>>();
  readonly #lagging = new Set<Receiver>();
  /** Those that something waits for: an answer that their sockets have no room for. */
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

  /** Subscriptions that are being given what their streams start with. */
  get startingCount(): number {
    let count = 0;
    for (const receiver of this.#lagging) for (const { start } of laggingIn(receiver)) if (start !== undefined) count++;
    return count;
  }

  /** Connections that are being caught up, those that have got on least lately first. */
  receivers(): Iterable<Receiver> {
    return this.#lagging;
  }

  /**
   * uWS dropped something for this receiver. It says so once for a batch and nothing of the rest, so what was flushed in this loop turn counts as lost.
   * The positions are taken now: the next round may come before the connection has left.
   */
  dropped(receiver: Receiver): void {
    if (this.#marked.has(receiver)) return;
    const { metrics } = this.#options;
    const tick = this.#options.tick();
    const drops = new Map<Topic, Drop>();
    for (const [topic, subscription] of receiver.subscriptions) {
      if (subscription.kind !== 'member') continue;
      const { shard } = subscription;
      drops.set(topic, {
        has: shard.positionOfDropped(tick),
        given: { sequence: shard.cursor, offset: shard.offset },
        startsOver: shard.hasLostResync(tick),
      });
      metrics.lost(shard.lostIn(tick));
    }
    this.#marked.set(receiver, drops);
    setImmediate(() => this.leaveMarked());
  }

  leaveMarked(): void {
    if (this.#marked.size === 0) return;
    const marked = [...this.#marked];
    this.#marked.clear();
    for (const [receiver, drops] of marked) {
      if (!receiver.isOpen) continue;
      for (const [topic, drop] of drops) {
        const member = receiver.subscriptions.get(topic);
        if (member?.kind === 'member') this.#fallBehind(receiver, member, drop);
      }
    }
  }

  /** The connection has been sent how its stream begins; the rest follows as its socket takes it. */
  begin(receiver: Receiver, feed: TopicFeed, options: MembershipOptions, rest: NonNullable<BeginningFrames['rest']>): void {
    // A line that is so bad that its socket is full at once.
    const waited = !receiver.hasRoom;
    this.#enter(
      receiver,
      { ...laggingAt(feed, options, rest.position), start: rest.start, waited, partBytes: 2 * FIRST_PART_BYTES },
      false,
    );
    this.#goOn(receiver);
  }

  /** The topic's history is not what it was: its members are given the state, each as its socket takes it. */
  startOver(feed: TopicFeed, reason: string): void {
    for (const { shards } of feed.variants) {
      for (const shard of [...shards]) {
        for (const receiver of membersOf(shard)) {
          const member = receiver.subscriptions.get(feed.topic);
          if (member?.kind !== 'member') continue;
          this.#options.memberships.leave(receiver, member);
          this.#enter(receiver, { ...laggingAt(feed, member.options, feed.head), life: NO_LIFE, resyncReason: reason }, false);
          this.#goOn(receiver);
        }
      }
    }
  }

  /** Resolves when the socket has room for something large, or has closed. One that makes no room in time is closed. */
  async whenRoom(receiver: Receiver): Promise<void> {
    while (!receiver.hasRoom) {
      const waiting = { sinceMs: Date.now() };
      this.#full.set(receiver, waiting);
      await receiver.whenRoom();
      if (this.#full.get(receiver) === waiting) this.#full.delete(receiver);
    }
  }

  /** The same, and so much may go in this loop turn beside what others catch up with. */
  async whenTurn(receiver: Receiver, bytes: number): Promise<void> {
    await this.whenRoom(receiver);
    await this.#share.take(bytes);
    await this.whenRoom(receiver);
  }

  /** The socket took some of what waited for it. */
  drained(receiver: Receiver): void {
    // Before native publish sends anything more: it does as soon as there is less than the threshold.
    receiver.sendQueued();
    this.#goOn(receiver);
  }

  /** Called once a second or so. */
  check(nowMs: number): void {
    const { slowTimeoutMs } = this.#options.config.limits;
    const tooSlow = (receiver: Receiver) => {
      this.#options.metrics.closedSlow.inc();
      receiver.end('tooSlow');
    };
    for (const receiver of this.#lagging) {
      if (receiver.lag !== undefined && nowMs - receiver.lag.sinceMs > slowTimeoutMs) tooSlow(receiver);
      else this.drained(receiver);
    }
    for (const [receiver, { sinceMs }] of this.#full) if (nowMs - sinceMs > slowTimeoutMs) tooSlow(receiver);
  }

  /** The connection has closed, and holds no topics any more. */
  gone(receiver: Receiver): void {
    this.#marked.delete(receiver);
    this.#full.delete(receiver);
    this.#done(receiver);
  }

  /** The connection asks for another form of the topic meanwhile: that is what it is caught up and goes on with. */
  change(lagging: Lagging, options: MembershipOptions): void {
    lagging.options = options;
  }

  /** The connection no longer subscribes to the topic. */
  forget(receiver: Receiver, subscription: Lagging): void {
    subscription.feed.leaveLagging();
    if (laggingIn(receiver).every((other) => other === subscription)) this.#done(receiver);
    this.#options.topics.releaseIfUnused(subscription.feed);
  }

  /** Tells those that are being caught up in this topic. */
  tell(feed: TopicFeed, message: ServerMessage): void {
    for (const receiver of this.#lagging) {
      if (receiver.subscriptions.get(feed.topic)?.kind === 'lagging') receiver.send(message);
    }
  }

  /**
   * What was given in the turn of the drop may have come or not. A durable topic gives it again, and the client leaves out what it has; so does one whose
   * policy is the latest state. Other ephemeral topics are at most once: there it counts as lost.
   */
  #fallBehind(receiver: Receiver, member: Member, { has, given, startsOver }: Drop): void {
    const { feed, options } = member;
    const lagging = laggingAt(feed, options, has);
    if (!feed.namespace.durable && policyOf(lagging) === 'replay') {
      lagging.position = given;
      lagging.skipped = given.sequence - has.sequence;
    }
    this.#options.memberships.leave(receiver, member);
    if (receiver.lag?.fellBehind !== true) this.#options.metrics.laggedTotal.inc();
    if (startsOver) lagging.life = NO_LIFE;
    lagging.partBytes = this.#options.catchingUp.partBytesMax;
    this.#enter(receiver, lagging, true);
  }

  #enter(receiver: Receiver, lagging: Lagging, fellBehind: boolean): void {
    const { feed } = lagging;
    feed.enterLagging();
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
        // The log, or the hub's budget, cannot be asked now; a second later perhaps.
        if (error instanceof ProtocolError && ERROR_KINDS[error.code].retryable) return;
        this.#options.onBug(error);
        receiver.end('serverError');
      })
      .finally(() => {
        lag.catchingUp = false;
      });
  }

  /** A part of each topic in turn, so that a large one holds up no small one. */
  async #catchUp(receiver: Receiver): Promise<void> {
    for (let left = laggingIn(receiver); left.length > 0; left = laggingIn(receiver)) {
      for (const lagging of left) {
        if (!receiver.hasRoom) return this.#waits(receiver, left);
        const turn = this.#share.take(lagging.partBytes);
        if (turn !== undefined) await turn;
        if (receiver.subscriptions.get(lagging.feed.topic) !== lagging) continue;
        const isStart = lagging.start !== undefined;
        await this.#options.catchingUp.step(receiver, lagging);
        // What a new subscription starts with may take long; as long as it goes on the connection is not too slow.
        if (isStart && receiver.lag !== undefined) receiver.lag.sinceMs = Date.now();
      }
    }
    if (receiver.lag === undefined || !receiver.isOpen) return;
    if (receiver.lag.fellBehind) this.#options.metrics.rejoined.inc();
    this.#done(receiver);
  }

  #waits(receiver: Receiver, left: readonly Lagging[]): void {
    if (receiver.isOpen) for (const lagging of left) lagging.waited = true;
  }
}

function laggingAt(feed: TopicFeed, options: MembershipOptions, position: Position): Lagging {
  return {
    kind: 'lagging',
    feed,
    options,
    position,
    life: feed.life,
    start: undefined,
    waited: false,
    partBytes: FIRST_PART_BYTES,
    resyncReason: undefined,
    skipped: 0,
  };
}

function laggingIn(receiver: Receiver): Lagging[] {
  return [...receiver.subscriptions.values()].filter((subscription) => subscription.kind === 'lagging');
}
