import type { FanoutSink, Flush } from '../fanout/flush.ts';
import { fromStateOf } from '../fanout/recovery.ts';
import type { Recipient, Sent, Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Variant, VariantOptions } from '../fanout/variant.ts';
import { CODECS } from '../protocol/codecs.ts';
import { addressOf } from '../protocol/feed-name.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { PublishToShard } from '../transport/transport.ts';
import { beginningFrames } from './first-part.ts';
import { membersOf } from './memberships.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { Receiver, ReceiverOf } from './receiver.ts';
import { type Moved, movedTo } from './stream-positions.ts';

export interface FrameSinkOptions {
  readonly publishNatively: PublishToShard;
  readonly receiverOf: ReceiverOf;
  readonly metrics: DeliveryMetrics;
  /** Each member gets this frame by frame. */
  readonly give: (shard: Shard, flush: Flush) => void;
}

/** Sends frames to sockets: by native publish, with one call for a whole shard, or what waits for a connection, in one write. */
export class FrameSink implements FanoutSink {
  readonly #publishNatively: PublishToShard;
  readonly #metrics: DeliveryMetrics;
  readonly #receiverOf: ReceiverOf;

  readonly #give: (shard: Shard, flush: Flush) => void;

  constructor({ publishNatively, receiverOf, metrics, give }: FrameSinkOptions) {
    this.#publishNatively = publishNatively;
    this.#receiverOf = receiverOf;
    this.#metrics = metrics;
    this.#give = give;
  }

  publish({ nativeTopic }: Shard, frame: Uint8Array, binary: boolean): void {
    this.#publishNatively(nativeTopic as string, frame, binary);
  }

  give(shard: Shard, flush: Flush): void {
    this.#give(shard, flush);
  }

  isMember(shard: Shard, connectionId: string): boolean {
    return this.#receiverOf(connectionId)?.subscriptions.get(shard.variant.feed.topic) === shard;
  }

  publishExcept(shard: Shard, frame: Uint8Array, binary: boolean, connectionId: string): void {
    // A publish of a socket reaches all members but itself.
    const sender = this.#receiverOf(connectionId)?.socket;
    if (sender === undefined || !sender.isOpen) this.publish(shard, frame, binary);
    else sender.publishToOthers(shard.nativeTopic as string, frame, binary);
  }

  sendTo(connectionId: string, frame: Uint8Array): void {
    this.#receiverOf(connectionId)?.sendEncoded(frame);
  }

  send(recipient: Recipient): void {
    (recipient as Receiver).sendFrames();
  }

  skipped({ feed, options }: Variant, skipped: number): Uint8Array {
    const { topic, namespace } = feed;
    return CODECS[options.encoding].encode({ type: 'lagged', ...addressOf(topic), policy: namespace.slowConsumer, skipped });
  }

  /**
   * The topic was reset: every member gets its state, and continues from there. @returns false if that does not fit into one frame; then nobody has been told
   */
  resync(feed: TopicFeed, reason: string, { frameBytesMax, tick }: { readonly frameBytesMax: number; readonly tick: number }): boolean {
    const { topic, epoch, head } = feed;
    const message = { type: 'resync', ...addressOf(topic), epoch, reason };
    const options = { beginning: fromStateOf(feed), until: head, message, frameBytesMax };
    const frames = new Map<string, Uint8Array>();
    const moved = movedTo(feed, { prev: 0, offset: head.offset });
    for (const { options: form } of feed.variants) {
      if (frames.has(wireFormName(form))) continue;
      const { first, rest } = beginningFrames(feed, { ...options, form });
      if (rest !== undefined) return false;
      frames.set(wireFormName(form), first);
    }
    for (const { options, shards } of feed.variants) {
      const frame = frames.get(wireFormName(options)) as Uint8Array;
      for (const shard of shards) {
        // Before it is sent, because a drop of a large frame is reported during the publish.
        shard.toldToStartOver(tick);
        this.#tell(shard, frame, options.encoding === 'msgpack', moved);
      }
    }
    return true;
  }

  /** Tells every member something about the topic. Native publish does not reach slow consumers. */
  status(feed: TopicFeed, message: ServerMessage<'feed' | 'status'>): void {
    for (const { options, shards } of feed.variants) {
      const codec = CODECS[options.encoding];
      const frame = codec.encode(message);
      for (const shard of shards) this.#tell(shard, frame, codec.binary);
    }
  }

  /** Outside visits. */
  #tell(shard: Shard, frame: Uint8Array, binary: boolean, moved?: Moved): void {
    if (shard.nativeTopic !== undefined) this.#publishNatively(shard.nativeTopic, frame, binary);
    else for (const receiver of membersOf(shard)) receiver.tell(frame, moved);
  }

  flushed({ members }: Shard, sent: Sent): void {
    this.#metrics.flushed(members, sent);
  }

  done({ sent, oldestPublishedAtMs, oldestEventAtMs }: Flush): void {
    this.#metrics.batchItems.observe(sent.items);
    const nowMs = Date.now();
    this.#metrics.publishToSocket.observe(Math.max(0, nowMs - oldestPublishedAtMs) / 1000);
    if (oldestEventAtMs !== undefined) this.#metrics.eventToSocket.observe(Math.max(0, nowMs - oldestEventAtMs) / 1000);
  }
}

function wireFormName({ encoding, timestamps, parts, selection }: VariantOptions): string {
  return `${encoding} ${timestamps} ${parts} ${selection?.name ?? ''}`;
}
