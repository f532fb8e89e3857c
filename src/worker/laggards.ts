import type { Config, SlowConsumerPolicy } from '../config/schema.ts';
import { buildFrames } from '../fanout/batch.ts';
import { type CatchUpStretch, nextCatchUpStep } from '../fanout/catch-up.ts';
import { withoutOwn } from '../fanout/echo.ts';
import { encodeWithItems } from '../fanout/frame.ts';
import { FanoutItem, type ItemSource } from '../fanout/item.ts';
import type { Position } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import type { Connection, Lagging, Member } from './connection.ts';
import type { HubClient } from './hub-client.ts';
import type { MembershipOptions, Memberships } from './memberships.ts';
import type { TopicTable } from './topic-table.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface LaggardsOptions {
  readonly config: Config;
  readonly topics: TopicTable;
  readonly memberships: Memberships;
  readonly hub: HubClient;
  readonly metrics: WorkerMetrics;
  /** The loop turn's number, as the fan-out counts it. */
  readonly tick: () => number;
  readonly onBug: (error: Error) => void;
}

/** Publications read from the log at once for one lagging member. */
const READ_ITEMS_MIN = 16;
const READ_ITEMS_MAX = 500;

/**
 * Connections whose sockets do not keep up. They leave the fast path, where each of them would cost a buffer, with nothing but a position per topic;
 * when the socket drains they are caught up by their namespaces' policies and rejoin. One that does not drain in time is closed.
 */
export class Laggards {
  readonly #options: LaggardsOptions;
  readonly #resumeBytes: number;
  /** Seen in `dropped`, where nothing may be left or sent; they leave before the next round. */
  readonly #marked = new Map<Connection, Map<Topic, Position>>();
  readonly #lagging = new Set<Connection>();

  constructor(options: LaggardsOptions) {
    this.#options = options;
    this.#resumeBytes = Math.floor(options.config.limits.lagThresholdBytes / 2);
  }

  get count(): number {
    return this.#lagging.size;
  }

  /** Lagging connections, those that fell behind first. */
  connections(): Iterable<Connection> {
    return this.#lagging;
  }

  /**
   * uWS dropped something for this connection. It says so once for a batch and nothing of the rest, so what was flushed in this loop turn counts as lost.
   * The positions are taken now: the next round may come before the connection has left.
   */
  dropped(connection: Connection): void {
    if (this.#marked.has(connection)) return;
    const { metrics } = this.#options;
    const tick = this.#options.tick();
    const positions = new Map<Topic, Position>();
    for (const [topic, subscription] of connection.subscriptions) {
      if (subscription.kind !== 'member') continue;
      positions.set(topic, subscription.shard.positionOfDropped(tick));
      metrics.lost(subscription.shard.lostIn(tick));
    }
    this.#marked.set(connection, positions);
    setImmediate(() => this.leaveMarked());
  }

  leaveMarked(): void {
    if (this.#marked.size === 0) return;
    const marked = [...this.#marked];
    this.#marked.clear();
    for (const [connection, positions] of marked) {
      if (connection.socket === undefined) continue;
      for (const [topic, position] of positions) {
        const member = connection.subscriptions.get(topic);
        if (member?.kind === 'member') this.#leave(connection, member, position);
      }
    }
  }

  /** The socket took some of what waited for it. */
  drained(connection: Connection): void {
    // Before native publish sends anything more: it does as soon as there is less than the threshold.
    connection.sendHeld();
    if (connection.lag === undefined || connection.lag.catchingUp || !connection.hasRoom) return;
    connection.lag.catchingUp = true;
    this.#catchUp(connection)
      .catch((error) => {
        this.#options.onBug(error);
        connection.end('serverError');
      })
      .finally(() => {
        if (connection.lag !== undefined) connection.lag.catchingUp = false;
      });
  }

  /** Called once a second or so. */
  check(nowMs: number): void {
    for (const connection of this.#lagging) {
      const { lag } = connection;
      if (lag === undefined) continue;
      if (nowMs - lag.sinceMs > this.#options.config.limits.slowTimeoutMs) {
        this.#options.metrics.closedSlow.inc();
        connection.end('tooSlow');
      } else this.drained(connection);
    }
  }

  /** The connection has closed, and holds no topics any more. */
  gone(connection: Connection): void {
    this.#marked.delete(connection);
    this.#done(connection);
  }

  /** The connection asks for another form of the topic while it lags: that is what it is caught up and goes on with. */
  change(lagging: Lagging, options: MembershipOptions): void {
    lagging.options = options;
  }

  /** The connection no longer subscribes to the topic. */
  forget(connection: Connection, subscription: Lagging): void {
    subscription.feed.laggards--;
    if (laggingIn(connection).every((other) => other === subscription)) this.#done(connection);
    this.#options.topics.releaseIfUnused(subscription.feed);
  }

  /** Tells those that lag in this topic. */
  tell(feed: TopicFeed, message: ServerMessage): void {
    for (const connection of this.#lagging) {
      if (connection.subscriptions.get(feed.topic)?.kind === 'lagging') connection.send(message);
    }
  }

  #leave(connection: Connection, member: Member, position: Position): void {
    const { feed, options } = member;
    feed.laggards++;
    this.#options.memberships.leave(connection, member);
    connection.subscriptions.set(feed.topic, { kind: 'lagging', feed, options, position, life: feed.life, skipped: 0 });
    if (connection.lag !== undefined) return;
    connection.lag = { sinceMs: Date.now(), catchingUp: false };
    this.#lagging.add(connection);
    this.#options.metrics.laggedTotal.inc();
  }

  #done(connection: Connection): void {
    connection.lag = undefined;
    this.#lagging.delete(connection);
  }

  async #catchUp(connection: Connection): Promise<void> {
    for (const [topic, subscription] of [...connection.subscriptions]) {
      if (subscription.kind !== 'lagging') continue;
      const stillLagging = () => connection.subscriptions.get(topic) === subscription;
      while (stillLagging() && !(await this.#step(connection, subscription))) {
        if (!connection.hasRoom) return;
      }
    }
    if (connection.lag === undefined || connection.socket === undefined) return;
    // A topic that had rejoined may have fallen behind again while another one was read from the log.
    if (laggingIn(connection).length > 0) return;
    this.#options.metrics.rejoined.inc();
    this.#done(connection);
  }

  /** @returns true when the topic needs no more */
  async #step(connection: Connection, lagging: Lagging): Promise<boolean> {
    const { feed } = lagging;
    if (lagging.life !== feed.life) return this.#startOver(connection, lagging, 'the history is not what it was');
    const step = nextCatchUpStep(feed, lagging.position, policyOf(lagging), this.#resumeBytes / 2);
    switch (step.kind) {
      case 'caughtUp':
        return this.#rejoin(connection, lagging);
      case 'close':
        this.#options.metrics.closedSlow.inc();
        connection.end('tooSlow');
        return true;
      case 'skipped':
        lagging.skipped += step.skipped;
        lagging.position = step.position;
        return false;
      case 'stretch':
        this.#send(connection, lagging, step.stretch);
        lagging.skipped += step.skipped;
        lagging.position = step.position;
        return false;
      case 'evicted':
        return this.#replayFromLog(connection, lagging);
    }
  }

  async #replayFromLog(connection: Connection, lagging: Lagging): Promise<boolean> {
    const { feed, position } = lagging;
    if (!feed.namespace.durable) {
      lagging.skipped += feed.ring.first - position.sequence;
      lagging.position = { sequence: feed.ring.first, offset: feed.ring.baseOffset };
      return false;
    }
    const limit = this.#readItems(feed);
    const answer = await this.#options.hub.read({ topic: feed.topic, epoch: feed.epoch, after: position.offset, limit });
    if (connection.socket === undefined || connection.subscriptions.get(feed.topic) !== lagging) return true;
    if (!answer.complete) return this.#startOver(connection, lagging, 'what was missed is no longer in the log');
    const items = this.#thatFit(answer.items);
    this.#send(connection, lagging, { items, prev: position.offset, conflated: 0 });
    const offset = items.length === answer.items.length ? answer.offset : (items[items.length - 1] as FanoutItem).offset;
    // Where this ends lies in the ring, or is read on from.
    const sequence = feed.ring.sequenceAfter(offset);
    lagging.position = { sequence: sequence ?? Math.min(position.sequence + items.length, feed.ring.first - 1), offset };
    return false;
  }

  /** About as many publications as the socket has room for, by the size of the topic's recent ones. */
  #readItems({ ring }: TopicFeed): number {
    const bytesEach = ring.bytes / Math.max(1, ring.next - ring.first);
    return Math.min(READ_ITEMS_MAX, Math.max(READ_ITEMS_MIN, Math.ceil(this.#resumeBytes / bytesEach)));
  }

  /** One in any case. */
  #thatFit(sources: readonly ItemSource[]): FanoutItem[] {
    const items: FanoutItem[] = [];
    let bytes = 0;
    for (const source of sources) {
      const item = new FanoutItem(source, 0);
      bytes += item.bytes;
      if (items.length > 0 && bytes > this.#resumeBytes) break;
      items.push(item);
    }
    return items;
  }

  #send(connection: Connection, { feed, options }: Lagging, { items, ...stretch }: CatchUpStretch): void {
    const given = { ...stretch, items: options.echo ? items : withoutOwn(items, connection.id) };
    const { frameBytesMax } = this.#options.config.fanout;
    const frames = buildFrames(feed, options.variant, given, Date.now(), frameBytesMax);
    let bytes = 0;
    for (const frame of frames) {
      bytes += frame.length;
      connection.sendEncoded(frame);
    }
    this.#options.metrics.caughtUp({ frames: frames.length, bytes, items: items.length });
  }

  /** What was missed cannot be given: the client is told so, and goes on from the topic's state. */
  #startOver(connection: Connection, lagging: Lagging, reason: string): boolean {
    const { feed } = lagging;
    const { offset, sequence } = feed.head;
    const items = feed.latest.between(-1, sequence).filter((item) => !item.removed);
    const message = { type: 'resync', topic: feed.topic, epoch: feed.epoch, offset, reason };
    connection.sendEncoded(encodeWithItems(connection.codec.encoding, message, items));
    lagging.position = { sequence, offset };
    lagging.life = feed.life;
    lagging.skipped = 0;
    return false;
  }

  #rejoin(connection: Connection, lagging: Lagging): boolean {
    const { feed, options, position, skipped } = lagging;
    if (skipped > 0) {
      const policy = policyOf(lagging);
      this.#options.metrics.skipped.inc(skipped);
      connection.send({ type: 'lagged', topic: feed.topic, policy, skipped, ...(policy === 'skip' && { offset: position.offset }) });
      // That may have been one message too many for the connection.
      if (connection.socket === undefined) return true;
    }
    feed.laggards--;
    const { memberships } = this.#options;
    memberships.listen(connection, memberships.enter(connection, feed, options, position.sequence));
    return true;
  }
}

function laggingIn(connection: Connection): Lagging[] {
  return [...connection.subscriptions.values()].filter((subscription) => subscription.kind === 'lagging');
}

/** A rate class has always left items out: only the latest of each key is owed. */
function policyOf({ feed, options }: Lagging): SlowConsumerPolicy {
  return options.variant.rateHz === undefined ? feed.namespace.slowConsumer : 'conflate';
}
