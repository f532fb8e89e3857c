import type { FanoutSink, Flush, VisitKind } from '../fanout/flush.ts';
import type { WireForm } from '../fanout/frame.ts';
import { fromStateOf } from '../fanout/recovery.ts';
import type { Sent, Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import { CODECS } from '../protocol/codecs.ts';
import type { PublishToShard } from '../transport/transport.ts';
import { feedStatusOf } from './feed-status.ts';
import { beginningFrames } from './first-part.ts';
import { membersOf } from './memberships.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { Receiver, ReceiverOf } from './receiver.ts';

/** Sends frames to sockets: by native publish, with one call for a whole shard, if all shards of a visit are large; otherwise socket by socket. */
export class FrameSink implements FanoutSink {
  readonly #publishNatively: PublishToShard;
  readonly #metrics: DeliveryMetrics;
  readonly #receiverOf: ReceiverOf;
  #visit: VisitKind = 'native';
  /** Receivers that the current visit has frames for. */
  #receivers: Receiver[] = [];

  constructor(publishNatively: PublishToShard, receiverOf: ReceiverOf, metrics: DeliveryMetrics) {
    this.#publishNatively = publishNatively;
    this.#receiverOf = receiverOf;
    this.#metrics = metrics;
  }

  beginVisit(kind: VisitKind): void {
    this.#visit = kind;
  }

  endVisit(): void {
    for (const receiver of this.#receivers) receiver.sendFrames();
    this.#receivers = [];
  }

  publish(shard: Shard, frame: Uint8Array, binary: boolean): void {
    if (this.#visit === 'native') this.#publishNatively(shard.nativeTopic as string, frame, binary);
    else for (const receiver of membersOf(shard)) this.#gather(receiver, frame);
  }

  isMember(shard: Shard, connectionId: string): boolean {
    const subscription = this.#receiverOf(connectionId)?.subscriptions.get(shard.variant.feed.topic);
    return subscription?.kind === 'member' && subscription.shard === shard;
  }

  publishExcept(shard: Shard, frame: Uint8Array, binary: boolean, connectionId: string): void {
    if (this.#visit === 'direct') {
      for (const receiver of membersOf(shard)) if (receiver.id !== connectionId) this.#gather(receiver, frame);
      return;
    }
    // A publish of a socket reaches all members but itself.
    const sender = this.#receiverOf(connectionId)?.socket;
    if (sender === undefined || !sender.isOpen) this.publish(shard, frame, binary);
    else sender.publishToOthers(shard.nativeTopic as string, frame, binary);
  }

  sendTo(connectionId: string, frame: Uint8Array): void {
    const receiver = this.#receiverOf(connectionId);
    if (receiver === undefined) return;
    if (this.#visit === 'native') receiver.sendEncoded(frame);
    else this.#gather(receiver, frame);
  }

  #gather(receiver: Receiver, frame: Uint8Array): void {
    if (receiver.addFrame(frame)) this.#receivers.push(receiver);
  }

  /** The ring lost items that the shard had not been sent: its members are told, and the gap shows in the next batch's `prev`. */
  skipped(shard: Shard, skipped: number): void {
    const { variant } = shard;
    const { topic, namespace } = variant.feed;
    const message = { type: 'lagged', topic, policy: namespace.slowConsumer, skipped };
    const codec = CODECS[variant.options.encoding];
    this.publish(shard, codec.encode(message), codec.binary);
  }

  /**
   * The topic was reset: every member gets its state, and continues from there. @returns false if that does not fit into one frame; then nobody has been told
   */
  resync(feed: TopicFeed, reason: string, { frameBytesMax, tick }: { readonly frameBytesMax: number; readonly tick: number }): boolean {
    const { topic, epoch, head } = feed;
    const message = { type: 'resync', topic, epoch, reason };
    const options = { beginning: fromStateOf(feed), until: head, message, frameBytesMax };
    const frames = new Map<string, Uint8Array>();
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
        this.#tell(shard, frame, options.encoding === 'msgpack');
      }
    }
    return true;
  }

  /** Tells every member whether the topic is live. Native publish does not reach slow consumers. */
  status(feed: TopicFeed): void {
    const message = feedStatusOf(feed);
    for (const { options, shards } of feed.variants) {
      const codec = CODECS[options.encoding];
      const frame = codec.encode(message);
      for (const shard of shards) this.#tell(shard, frame, codec.binary);
    }
  }

  /** Outside visits. */
  #tell(shard: Shard, frame: Uint8Array, binary: boolean): void {
    if (shard.nativeTopic !== undefined) this.#publishNatively(shard.nativeTopic, frame, binary);
    else for (const { socket } of membersOf(shard)) socket.send(frame, binary);
  }

  flushed({ members }: Shard, sent: Sent): void {
    this.#metrics.flushed(members, sent);
  }

  done({ sent, oldestPublishedAtMs }: Flush): void {
    this.#metrics.batchItems.observe(sent.items);
    this.#metrics.publishToSocket.observe(Math.max(0, Date.now() - oldestPublishedAtMs) / 1000);
  }
}

function wireFormName({ encoding, timestamps }: WireForm): string {
  return `${encoding} ${timestamps}`;
}
