import type { Config, SlowConsumerPolicy } from '../config/schema.ts';
import { type BatchFrame, buildFrames, type ItemRange } from '../fanout/batch.ts';
import { type CatchUpRange, CHANGES_FORGOTTEN, nextCatchUpStep } from '../fanout/catch-up.ts';
import { coveredPlace, withoutOwn } from '../fanout/echo.ts';
import { FanoutItem, type ItemSource } from '../fanout/item.ts';
import { fromStateOf } from '../fanout/recovery.ts';
import { addressOf } from '../protocol/feed-name.ts';
import type { Position } from '../recent/position.ts';
import { type BeginningFrames, beginningFrames } from './first-part.ts';
import type { HubClient } from './hub-client.ts';
import type { Memberships } from './memberships.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { MissedReader } from './missed-reader.ts';
import type { Receiver } from './receiver.ts';
import { SharedFrames } from './shared-frames.ts';
import { movedTo } from './stream-positions.ts';
import type { Lagging, Unsent } from './subscription.ts';

export interface CatchingUpOptions {
  readonly config: Config;
  readonly memberships: Memberships;
  readonly hub: HubClient;
  readonly missedReader: MissedReader;
  readonly metrics: DeliveryMetrics;
}

/** Publications that are read from the log at once for one member. */
const READ_ITEMS_MIN = 16;
const READ_ITEMS_MAX = 500;

/** Advances one topic of one connection by one step, depending on its position, its start and its namespace's policy. */
export class CatchingUp {
  readonly #options: CatchingUpOptions;
  readonly #frames: SharedFrames;
  /** Size of a part: one frame of the usual size, which a socket with room accepts before it counts as full. */
  readonly partBytesMax: number;

  constructor(options: CatchingUpOptions) {
    this.#options = options;
    const { lagThresholdBytes, frameBytesMax, sharedFrameBytesMax } = options.config.tuning.fanout;
    this.#frames = new SharedFrames({ frameBytesMax, bytesMax: sharedFrameBytesMax });
    this.partBytesMax = Math.min(Math.floor(lagThresholdBytes / 4), frameBytesMax);
  }

  /** Called about once a second. */
  forgetOld(nowMs: number): void {
    this.#frames.forgetOld(nowMs);
  }

  /** @returns true if the topic needs no more steps. @throws ProtocolError if the hub cannot be asked now */
  async step(receiver: Receiver, lagging: Lagging): Promise<boolean> {
    const { feed } = lagging;
    if (lagging.life !== feed.life) return this.#startOver(receiver, lagging, lagging.resyncReason ?? 'the log was reset');
    if (lagging.unsent !== undefined) return this.#sendNext(receiver, lagging, lagging.unsent);
    const { position, start, partBytes } = lagging;
    const missed = position.sequence < feed.ring.first ? this.#options.missedReader.kept(feed, position.offset) : undefined;
    const step = nextCatchUpStep(feed, { position, start, policy: policyOf(lagging), missed }, partBytes);
    lagging.partBytes = Math.min(2 * partBytes, this.partBytesMax);
    switch (step.kind) {
      case 'caughtUp':
        return this.#join(receiver, lagging);
      case 'close':
        receiver.end('tooSlow');
        return true;
      case 'skipped':
        this.#count(lagging, step.skipped);
        lagging.position = step.position;
        return false;
      case 'range':
        this.#send(receiver, lagging, step.range, true);
        this.#count(lagging, step.skipped);
        moveTo(lagging, step.position);
        return false;
      case 'evicted':
        return this.#replayFromLog(receiver, lagging);
      case 'lost':
        return this.#startOver(receiver, lagging, CHANGES_FORGOTTEN);
    }
  }

  /** What a new client is not given does not count as missed, unless its connection is too slow for the stream. */
  #count(lagging: Lagging, skipped: number): void {
    if (lagging.start === undefined || lagging.waited) lagging.skipped += skipped;
  }

  async #replayFromLog(receiver: Receiver, lagging: Lagging): Promise<boolean> {
    const { feed, position } = lagging;
    if (!feed.namespace.durable) {
      this.#count(lagging, feed.ring.first - position.sequence);
      lagging.position = { sequence: feed.ring.first, offset: feed.ring.baseOffset };
      return false;
    }
    const { epoch, life } = feed;
    const answer = await this.#options.hub.read({
      topic: feed.topic,
      epoch,
      after: position.offset,
      limit: this.#readItems(lagging),
      bytesMax: this.partBytesMax,
    });
    if (!receiver.isOpen || receiver.subscriptions.get(feed.topic) !== lagging) return true;
    // Reset meanwhile: the next step starts over.
    if (feed.life !== life) return false;
    if (!answer.complete) return this.#startOver(receiver, lagging, 'what was missed is no longer in the log');
    const items = this.#thatFit(answer.items);
    this.#send(receiver, lagging, { items, prev: position.offset, conflated: 0 }, false);
    const last = items.at(-1)?.offset ?? position.offset;
    // The end of this answer is in the ring, or the next step reads on from it.
    const covered = items.length === answer.items.length ? answer.offset : last;
    const sequence = covered > feed.ring.headOffset ? feed.ring.next : feed.ring.sequenceAfter(covered);
    moveTo(lagging, { sequence: sequence ?? Math.min(position.sequence + items.length, feed.ring.first - 1), offset: last });
    return false;
  }

  /** About as many publications as the socket has room for, estimated from the size of the topic's recent ones. */
  #readItems({ feed: { ring } }: Lagging): number {
    const bytesEach = ring.bytes / Math.max(1, ring.next - ring.first);
    return Math.min(READ_ITEMS_MAX, Math.max(READ_ITEMS_MIN, Math.ceil((4 * this.partBytesMax) / Math.max(1, bytesEach))));
  }

  /** At least one. */
  #thatFit(sources: readonly ItemSource[]): FanoutItem[] {
    const items: FanoutItem[] = [];
    let bytes = 0;
    for (const source of sources) {
      const item = new FanoutItem(source);
      bytes += item.wireBytes;
      if (items.length > 0 && bytes > this.partBytesMax) break;
      items.push(item);
    }
    return items;
  }

  /** @param mayShare its items are the topic's own: other connections may get the same */
  #send(receiver: Receiver, lagging: Lagging, { items, ...range }: CatchUpRange, mayShare: boolean): void {
    const { selection } = lagging.options.variant;
    const given = selection === undefined ? items : selection.select(items, false);
    // The first items of a stream come from the topic's state, including those that this connection published.
    const own = isStarting(lagging) ? given : withoutOwn(given, receiver.id, ({ noEcho }) => noEcho || !lagging.options.echo);
    const last = items.at(-1)?.offset ?? 0;
    // It goes on after what is not selected, too.
    const isCovered = last === (given.at(-1)?.offset ?? 0);
    this.#sendBatch(receiver, lagging, { ...range, items: isCovered ? own : [...own, coveredPlace(last)] }, mayShare && isCovered);
  }

  /** The first frame of what is unsent, at once: before answers that are being collected. */
  sendFirst(receiver: Receiver, lagging: Lagging): void {
    if (lagging.life !== lagging.feed.life || lagging.unsent === undefined) return;
    this.#sendNext(receiver, lagging, lagging.unsent);
    receiver.sendGathered();
  }

  /** The next frame of a batch that has several: a part of a large item, mostly. */
  #sendNext(receiver: Receiver, lagging: Lagging, unsent: Unsent): false {
    const frame = unsent.frames[unsent.sent++] as BatchFrame;
    const isLast = unsent.sent === unsent.frames.length;
    lagging.unsent = isLast ? undefined : unsent;
    const { position } = lagging;
    lagging.position = (isLast ? unsent.after : undefined) ?? { ...position, offset: Math.max(position.offset, frame.offset) };
    receiver.sendEncoded(frame.bytes, movedTo(lagging.feed, frame));
    this.#options.metrics.caughtUp({ frames: 1, bytes: frame.bytes.length, items: isLast ? unsent.items : 0 });
    return false;
  }

  #sendBatch(receiver: Receiver, lagging: Lagging, range: ItemRange, mayShare: boolean): void {
    const { feed, options } = lagging;
    const { items } = range;
    const { frameBytesMax } = this.#options.config.tuning.fanout;
    const nowMs = Date.now();
    const frames = mayShare
      ? this.#frames.of(feed, options.variant, range, nowMs)
      : buildFrames(feed, options.variant, range, nowMs, frameBytesMax);
    if (frames.length > 0) this.#sendNext(receiver, lagging, { frames, items: items.length, sent: 0, after: undefined });
  }

  /** What was missed cannot be delivered: the client is told so, and continues from the topic's state. */
  #startOver(receiver: Receiver, lagging: Lagging, reason: string): boolean {
    const { feed } = lagging;
    const frames = this.#beginning(lagging, reason);
    receiver.sendEncoded(frames.first, movedTo(feed, { prev: 0, offset: frames.offset }));
    const { start, position } = frames.rest ?? { start: undefined, position: feed.head };
    Object.assign(lagging, {
      start,
      position,
      life: feed.life,
      resyncReason: undefined,
      skipped: 0,
      unsent: undefined,
    } satisfies Partial<Lagging>);
    return false;
  }

  #beginning({ feed, options }: Lagging, reason: string): BeginningFrames {
    const message = { type: 'resync', ...addressOf(feed.topic), epoch: feed.epoch, reason };
    const { frameBytesMax } = this.#options.config.tuning.fanout;
    return beginningFrames(feed, { beginning: fromStateOf(feed), until: feed.head, message, form: options.variant, frameBytesMax });
  }

  #join(receiver: Receiver, lagging: Lagging): boolean {
    const { feed, options, position, skipped } = lagging;
    const { memberships, metrics } = this.#options;
    if (skipped > 0) {
      const policy = policyOf(lagging);
      metrics.skipped.inc(skipped);
      receiver.send({ type: 'lagged', ...addressOf(feed.topic), policy, skipped, ...(policy === 'skip' && { offset: position.offset }) });
    }
    const { offset } = feed.head;
    // The stream's next batch continues from the head, which may be after the last item of the state.
    if (position.offset < offset)
      this.#sendBatch(receiver, lagging, { items: [coveredPlace(offset)], prev: position.offset, conflated: 0 }, false);
    // This may have been one message too many for the receiver.
    if (!receiver.isOpen) return true;
    feed.leaveLagging(options.variant.selection, receiver.owner);
    memberships.listen(receiver, memberships.enter(receiver, feed, options, position.sequence));
    return true;
  }
}

/** What is sent in several frames counts when all of them have been sent. */
function moveTo(lagging: Lagging, position: Position): void {
  if (lagging.unsent === undefined) lagging.position = position;
  else lagging.unsent.after = position;
}

function isStarting({ start, position }: Lagging): boolean {
  return start !== undefined && position.sequence < start.until.sequence;
}

/**
 * A rate class always leaves items out: only the latest of each key is due. And a new client is not slow because of what was published while it was given the
 * state: it gets that too, unless it had to wait for its socket.
 */
export function policyOf({ feed, options, start, waited }: Lagging): SlowConsumerPolicy {
  const { slowConsumer, state } = feed.namespace;
  if (options.variant.rateHz !== undefined) return 'conflate';
  if (start === undefined) return slowConsumer;
  if (!waited) return 'replay';
  if (slowConsumer === 'conflate' || slowConsumer === 'replay') return slowConsumer;
  // It has not fallen behind: its connection is slow, and its first items were many.
  return state === 'last' ? 'replay' : 'conflate';
}
