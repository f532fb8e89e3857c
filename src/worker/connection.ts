import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Variant } from '../fanout/variant.ts';
import { CLOSE_CODES, CLOSE_REASON_TEXTS, type CloseReason } from '../protocol/close-codes.ts';
import type { Codec } from '../protocol/codec.ts';
import { ERROR_KINDS, type ErrorCode } from '../protocol/errors.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import { ANONYMOUS, type Identity } from './identity.ts';
import type { Socket } from './uws.ts';

/** A connection's place in a topic. `pending` while the topic is being opened or its history read. */
export type Subscription =
  | { readonly kind: 'pending' }
  | { readonly kind: 'member'; readonly feed: TopicFeed; variant: Variant; shard: Shard };

/** What uWS keeps with a socket. It copies the fields of what it is given into an object of its own, so the connection itself is one field. */
export interface SocketData {
  readonly connection: Connection;
}

/** One client's connection. Created at the upgrade; its socket comes with `open`. */
export class Connection {
  readonly id: string;
  readonly codec: Codec;
  identity: Identity;
  /** Has said who it is: by a token at the upgrade, by `connect`, or by using anonymous access. */
  ready: boolean;
  /** `connect` has been answered, or any other command has been taken: too late for another. */
  greeted = false;
  deflate = false;
  /** A token being checked: whatever the client sent behind it waits for the outcome. */
  authenticating: Promise<void> | undefined;
  readonly subscriptions = new Map<Topic, Subscription>();
  publishesInFlight = 0;
  /** Token bucket of the message rate limit. */
  rateTokens = Number.POSITIVE_INFINITY;
  rateAtMs = 0;
  errors = 0;
  errorsSinceMs = 0;
  /** Pings that were not answered in time, in a row. */
  missedPongs = 0;
  awaitsPong = false;
  #socket: Socket<SocketData> | undefined;

  constructor(id: string, codec: Codec, identity: Identity | undefined) {
    this.id = id;
    this.codec = codec;
    this.identity = identity ?? ANONYMOUS;
    this.ready = identity !== undefined;
  }

  /** Undefined once closed: every call on a closed uWS socket throws, so nobody else keeps a reference to it. */
  get socket(): Socket<SocketData> | undefined {
    return this.#socket;
  }

  opened(socket: Socket<SocketData>): void {
    this.#socket = socket;
  }

  closed(): void {
    this.#socket = undefined;
  }

  send(message: ServerMessage): void {
    this.sendEncoded(this.codec.encode(message));
  }

  sendEncoded(bytes: Uint8Array): void {
    this.#socket?.send(bytes, this.codec.binary);
  }

  sendError(id: number | undefined, code: ErrorCode, message: string, retryAfterMs?: number): void {
    this.send({
      type: 'error',
      code,
      message,
      retryable: ERROR_KINDS[code].retryable,
      ...(id !== undefined && { id }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  /** Sends a close frame; the close handler runs inside this call. */
  end(reason: CloseReason): void {
    this.#socket?.end(CLOSE_CODES[reason], CLOSE_REASON_TEXTS[reason]);
  }
}
