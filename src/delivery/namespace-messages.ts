import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Encoding } from '../protocol/codec.ts';
import { CODECS } from '../protocol/codecs.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { namespaceOf } from '../protocol/topic.ts';
import type { PublishToShard } from '../transport/transport.ts';
import type { AnswerOutbox } from './answer-outbox.ts';
import { membersOf } from './memberships.ts';
import type { Receiver } from './receiver.ts';

const ENCODINGS: readonly Encoding[] = ['msgpack', 'json'];

export interface NamespaceMessagesOptions {
  readonly publish: PublishToShard;
  readonly outbox: Pick<AnswerOutbox, 'flush'>;
  /** Open topics. */
  readonly feeds: () => Iterable<TopicFeed>;
  /** Connections that are catching up. */
  readonly lagging: () => Iterable<Receiver>;
}

/** The connections that are subscribed in one namespace. */
class Audience {
  readonly #name: string;
  readonly #members = new Set<Receiver>();
  /** Those that must be sent each message individually: they have no native publish. */
  readonly alone = new Set<Receiver>();

  /** @param number unique among the audiences of the worker */
  constructor(number: number) {
    this.#name = `namespace-${number.toString(36)}`;
  }

  join(receiver: Receiver): void {
    if (this.#members.has(receiver)) return;
    this.#members.add(receiver);
    if (receiver.socket.isNative) receiver.socket.join(this.shard(receiver.codec.encoding));
    else this.alone.add(receiver);
  }

  leave(receiver: Receiver): void {
    if (this.forget(receiver) && receiver.socket.isNative) receiver.socket.leave(this.shard(receiver.codec.encoding));
  }

  /** Its socket has closed. @returns false if it was no member */
  forget(receiver: Receiver): boolean {
    this.alone.delete(receiver);
    return this.#members.delete(receiver);
  }

  shard(encoding: Encoding): string {
    return `${this.#name}${encoding}`;
  }
}

/**
 * What servers send to every connection that is subscribed in a namespace: one frame for all, once a connection, however many of its topics it follows. Nobody
 * is counted before the first message to a namespace; from then on its connections join and leave. At most as many audiences exist as namespaces.
 */
export class NamespaceMessages {
  readonly #options: NamespaceMessagesOptions;
  readonly #audiences = new Map<string, Audience>();

  constructor(options: NamespaceMessagesOptions) {
    this.#options = options;
  }

  /** The receiver has been sent the answer to its subscribe. */
  subscribed(receiver: Receiver, topic: FeedName): void {
    if (this.#audiences.size > 0) this.#audiences.get(namespaceOf(topic))?.join(receiver);
  }

  /** The receiver's subscription has ended. */
  ended(receiver: Receiver, topic: FeedName): void {
    if (this.#audiences.size === 0) return;
    const namespace = namespaceOf(topic);
    if (!isIn(receiver, namespace)) this.#audiences.get(namespace)?.leave(receiver);
  }

  /** The connection has closed. */
  closed(receiver: Receiver): void {
    for (const audience of this.#audiences.values()) audience.forget(receiver);
  }

  /** At most once: a socket that does not keep up drops it. @param data one MessagePack value */
  send(namespace: string, data: Uint8Array): void {
    const audience = this.#audienceOf(namespace);
    const message = { type: 'message', namespace, data: unpackMsgpack(data) };
    // A client must not get it before the answer to its subscribe.
    this.#options.outbox.flush();
    const frames = new Map<Encoding, Uint8Array>();
    for (const encoding of ENCODINGS) {
      const { encode, binary } = CODECS[encoding];
      const frame = encode(message);
      frames.set(encoding, frame);
      this.#options.publish(audience.shard(encoding), frame, binary);
    }
    for (const receiver of audience.alone) if (receiver.hasRoom) receiver.sendEncoded(frames.get(receiver.codec.encoding) as Uint8Array);
  }

  #audienceOf(namespace: string): Audience {
    let audience = this.#audiences.get(namespace);
    if (audience !== undefined) return audience;
    audience = new Audience(this.#audiences.size);
    this.#audiences.set(namespace, audience);
    for (const feed of this.#options.feeds()) {
      if (namespaceOf(feed.topic) !== namespace) continue;
      for (const { shards } of feed.variants) for (const shard of shards) for (const receiver of membersOf(shard)) audience.join(receiver);
    }
    for (const receiver of this.#options.lagging()) if (isIn(receiver, namespace)) audience.join(receiver);
    return audience;
  }
}

/** Whether the receiver is subscribed to a topic of the namespace, and has been told so. */
function isIn({ subscriptions }: Receiver, namespace: string): boolean {
  for (const [topic, { kind }] of subscriptions) if (kind !== 'pending' && namespaceOf(topic) === namespace) return true;
  return false;
}
