import type { FanoutSink, Flush } from '../fanout/flush.ts';
import { fromStateOf } from '../fanout/recovery.ts';
import type { Sent, Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Encoding } from '../protocol/codec.ts';
import { stringifyJson } from '../protocol/json-writer.ts';
import { packMsgpack } from '../protocol/msgpack-codec.ts';
import { feedStatusOf } from './feed-status.ts';
import { beginningFrames } from './first-part.ts';
import type { Memberships } from './memberships.ts';
import type { UwsApp } from './uws.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

const ENCODINGS: readonly Encoding[] = ['msgpack', 'json'];

/** Hands frames to uWS's native publish, one call for a whole shard. */
export class NativePublisher implements FanoutSink {
  readonly #app: UwsApp;
  readonly #metrics: WorkerMetrics;

  readonly #memberships: Memberships;

  constructor(app: UwsApp, memberships: Memberships, metrics: WorkerMetrics) {
    this.#app = app;
    this.#memberships = memberships;
    this.#metrics = metrics;
  }

  publish(nativeTopic: string, frame: Uint8Array, binary: boolean): void {
    this.#app.publish(nativeTopic, frame, binary);
  }

  publishExcept(nativeTopic: string, frame: Uint8Array, binary: boolean, connectionId: string): void {
    // A socket's own publish reaches all but itself.
    const sender = this.#memberships.findWithoutEcho(connectionId)?.socket;
    if (sender === undefined) this.#app.publish(nativeTopic, frame, binary);
    else sender.publish(nativeTopic, frame, binary);
  }

  sendTo(connectionId: string, frame: Uint8Array): void {
    this.#memberships.findWithoutEcho(connectionId)?.sendEncoded(frame);
  }

  /** The ring lost items that the shard had not had: its members are told, and the gap shows in the next batch's `prev`. */
  skipped({ variant, nativeTopic }: Shard, skipped: number): void {
    const { topic, namespace } = variant.feed;
    const message = { type: 'lagged', topic, policy: namespace.slowConsumer, skipped };
    const binary = variant.options.encoding === 'msgpack';
    this.#app.publish(nativeTopic, binary ? packMsgpack(message) : stringifyJson(message), binary);
  }

  /**
   * The topic's history is not what it was: every member gets its state, and goes on from there.
   * @returns false where that does not fit one frame, and nobody has been told
   */
  resync(feed: TopicFeed, reason: string, { frameBytesMax, tick }: { readonly frameBytesMax: number; readonly tick: number }): boolean {
    const { topic, epoch, head } = feed;
    const message = { type: 'resync', topic, epoch, reason };
    const options = { beginning: fromStateOf(feed), until: head, message, frameBytesMax };
    const frames = new Map<Encoding, Uint8Array>();
    for (const encoding of ENCODINGS) {
      const { first, rest } = beginningFrames(feed, { ...options, encoding });
      if (rest !== undefined) return false;
      frames.set(encoding, first);
    }
    for (const { options, shards } of feed.variants.values()) {
      const frame = frames.get(options.encoding) as Uint8Array;
      for (const shard of shards) {
        // Before it leaves: what a socket drops of a large frame is reported while it is published.
        shard.toldToStartOver(tick);
        this.#app.publish(shard.nativeTopic, frame, options.encoding === 'msgpack');
      }
    }
    return true;
  }

  /** Every member is told whether the topic is live. Laggards are not reached by native publish. */
  status(feed: TopicFeed): void {
    const message = feedStatusOf(feed);
    for (const { options, shards } of feed.variants.values()) {
      const binary = options.encoding === 'msgpack';
      const frame = binary ? packMsgpack(message) : stringifyJson(message);
      for (const shard of shards) this.#app.publish(shard.nativeTopic, frame, binary);
    }
  }

  flushed({ members }: Shard, sent: Sent): void {
    this.#metrics.flushed(members, sent);
  }

  done({ sent, oldestPublishedAtMs }: Flush): void {
    this.#metrics.batchItems.observe(sent.items);
    this.#metrics.publishToSocket.observe(Math.max(0, Date.now() - oldestPublishedAtMs) / 1000);
  }
}
