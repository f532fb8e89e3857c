import type { Config } from '../config/schema.ts';
import type { MembershipOptions } from '../delivery/memberships.ts';
import type { Start } from '../fanout/catch-up.ts';
import type { Group } from '../fanout/group.ts';
import type { Shard } from '../fanout/shard.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Variant } from '../fanout/variant.ts';
import { CLOSE_CODES, CLOSE_REASON_TEXTS, type CloseReason } from '../protocol/close-codes.ts';
import type { Codec } from '../protocol/codec.ts';
import { ERROR_KINDS, type ErrorCode } from '../protocol/errors.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import type { Position } from '../recent/position.ts';
import type { Socket } from '../transport/uws.ts';
import type { AnswerOutbox } from './answer-outbox.ts';
import { ANONYMOUS, type Identity } from './identity.ts';
import type { Bucket } from './rate-limit.ts';
import type { Unread } from './read-turns.ts';

/** In the fast path: gets what native publish sends to the shard. */
export interface Member {
  readonly kind: 'member';
  readonly feed: TopicFeed;
  readonly options: MembershipOptions;
  readonly variant: Variant;
  shard: Shard;
}

/** Not in the fast path: its socket has to catch up, or it has just come and is still being given what its stream starts with. */
export interface Lagging {
  readonly kind: 'lagging';
  readonly feed: TopicFeed;
  options: MembershipOptions;
  /** What it has; in the ring of this life of the feed. */
  position: Position;
  life: number;
  /** Set until it first comes to the head: what it is given before its stream. */
  start: Start | undefined;
  /** The socket had no room at some time since: it is slow, and what it gets beyond its start is by its namespace's policy. */
  waited: boolean;
  /** Of the next part. The first ones are small: a line that breaks again and again still brings something each time. */
  partBytes: number;
  /** Why it starts over, where something other than the log's life says so. */
  resyncReason: string | undefined;
  /** Publications that it was not given, so far. */
  skipped: number;
}

/** While not all of a connection's topics are in the fast path. */
export interface Lag {
  /** Since then it has not got on: since it fell behind, or since it was last given a part of what a new subscription starts with. */
  sinceMs: number;
  catchingUp: boolean;
  /** It has fallen behind; false: it has only just come. */
  fellBehind: boolean;
}

/** A connection's place in a topic. `pending` while the topic is being opened or its history read. */
export type Subscription = { readonly kind: 'pending' } | Member | Lagging;

export interface SendLimits {
  readonly lagThresholdBytes: number;
  readonly sendBufferLimitBytes: number;
}

/** One object for all connections of a worker. */
export function sendLimitsOf({ limits, tuning }: Pick<Config, 'limits' | 'tuning'>): SendLimits {
  return { lagThresholdBytes: tuning.fanout.lagThresholdBytes, sendBufferLimitBytes: limits.sendBufferLimitBytes };
}

/** What uWS answers for a message that a full socket was not given. */
const DROPPED = 2;

/** What uWS keeps with a socket. It copies the fields of what it is given into an object of its own, so the connection itself is one field. */
export interface SocketData {
  readonly connection: Connection;
  /** Came with the upgrade and is still to be checked. */
  token?: string | undefined;
}

/** One client's connection. Created at the upgrade; its socket comes with `open`. */
export class Connection {
  readonly id: string;
  readonly codec: Codec;
  identity: Identity = ANONYMOUS;
  /** Has said who it is: by a token at the upgrade, by `connect`, or by using anonymous access. */
  ready = false;
  /** `connect` has been answered, or any other command has been taken: too late for another. */
  greeted = false;
  deflate = false;
  /** A token being checked: whatever the client sent behind it waits for the outcome. */
  authenticating: Promise<void> | undefined;
  /** Set with its first topic. */
  group: Group | undefined;
  readonly subscriptions = new Map<Topic, Subscription>();
  publishesInFlight = 0;
  callsInFlight = 0;
  commandsInFlight = 0;
  commandBytesInFlight = 0;
  /** Token bucket of the message rate limit. */
  rateTokens = Number.POSITIVE_INFINITY;
  rateAtMs = 0;
  /** Token buckets of what it sends, control frames included. */
  frameTokens = Number.POSITIVE_INFINITY;
  byteTokens = Number.POSITIVE_INFINITY;
  inboundAtMs = 0;
  /** Token bucket of commands that come in arrays; made with the first array. */
  commandBucket: Bucket | undefined;
  /** Token bucket of calls; made with the first call. */
  callBucket: Bucket | undefined;
  /** Messages that came when the loop had no time for them. */
  unread: Unread | undefined;
  errors = 0;
  errorsSinceMs = 0;
  /** Pings that were not answered in time, in a row. */
  missedPongs = 0;
  awaitsPong = false;
  lag: Lag | undefined;
  /** The large answer that the next one waits for: one at a time. */
  largeAnswer: Promise<unknown> | undefined;
  /** `history` commands that are not answered yet. */
  historiesInFlight = 0;
  readonly #sendLimits: SendLimits;
  /** Answers that wait for a lagging socket: uWS would drop them. Bounded by `sendBufferLimitBytes`. */
  #held: Uint8Array[] | undefined;
  #heldBytes = 0;
  /** Commands of arrays that are not answered yet: while there are some, answers gather for each other. */
  #gathering = 0;
  /** Answers that leave together when the loop turn ends; bounded by half of `lagThresholdBytes`. */
  #gathered: Uint8Array[] | undefined;
  #gatheredBytes = 0;
  #outbox: AnswerOutbox | undefined;
  /** What the fan-out's visit that is under way has for it. */
  #frames: Uint8Array[] | undefined;
  #roomWaiters: (() => void)[] = [];
  #socket: Socket<SocketData> | undefined;

  constructor(id: string, codec: Codec, sendLimits: SendLimits) {
    this.id = id;
    this.#sendLimits = sendLimits;
    this.codec = codec;
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
    // Nothing waits for a socket any more: whoever asks for room from now on must go on, and end.
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    for (const resume of this.#roomWaiters.splice(0)) resume();
  }

  /** Runs what brings a large answer after those before it. As many wait as the connection may have subscriptions and history requests under way. */
  inTurn<A>(work: () => Promise<A>): Promise<A> {
    const before = this.largeAnswer ?? Promise.resolve();
    const done = before.then(work, work);
    this.largeAnswer = done;
    const forget = () => {
      if (this.largeAnswer === done) this.largeAnswer = undefined;
    };
    done.then(forget, forget);
    return done;
  }

  /** Would something large be taken now, and before whatever native publish sends after it? */
  get hasRoom(): boolean {
    const waitingBytes = (this.#socket?.getBufferedAmount() ?? 0) + this.#gatheredBytes;
    return this.#held === undefined && waitingBytes <= this.#sendLimits.lagThresholdBytes / 2;
  }

  /** Resolves when there is room, or the connection has closed. As many wait as the connection has subscriptions under way, and one large answer. */
  whenRoom(): Promise<void> {
    if (this.hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  send(message: ServerMessage): void {
    this.sendEncoded(this.codec.encode(message));
  }

  sendEncoded(bytes: Uint8Array): void {
    // Behind what gathers, also when the last command has been answered: what comes later must not overtake it.
    if ((this.#gathering > 0 || this.#gathered !== undefined) && this.#socket !== undefined) this.#gather(bytes);
    else this.#sendNow(bytes);
  }

  #gather(bytes: Uint8Array): void {
    if (this.#gathered === undefined) {
      this.#gathered = [];
      this.#outbox?.add(this);
    }
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes > this.#sendLimits.lagThresholdBytes / 2) this.sendGathered();
  }

  #sendNow(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const { lagThresholdBytes, sendBufferLimitBytes } = this.#sendLimits;
    const bufferedBytes = socket.getBufferedAmount();
    if (this.#held === undefined && bufferedBytes <= lagThresholdBytes) {
      socket.send(bytes, this.codec.binary);
      return;
    }
    this.#held ??= [];
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes + bufferedBytes > sendBufferLimitBytes) this.end('tooSlow');
  }

  /** So many commands came in one message: until each is {@link answered}, what the connection is sent gathers and leaves once a turn. */
  expectAnswers(commands: number, outbox: AnswerOutbox): void {
    this.#gathering += commands;
    this.#outbox = outbox;
  }

  answered(): void {
    this.#gathering--;
  }

  /** In one write. */
  sendGathered(): void {
    const gathered = this.#gathered;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    if (gathered === undefined) return;
    this.#socket?.cork(() => {
      for (const bytes of gathered) this.#sendNow(bytes);
    });
  }

  /** @returns is it the first of the visit? {@link sendFrames} ends it */
  addFrame(frame: Uint8Array): boolean {
    if (this.#frames !== undefined) {
      this.#frames.push(frame);
      return false;
    }
    this.#frames = [frame];
    return true;
  }

  /** In one write. What a full socket does not take uWS reports as dropped. */
  sendFrames(): void {
    const frames = this.#frames;
    const socket = this.#socket;
    this.#frames = undefined;
    if (frames === undefined || socket === undefined) return;
    const { binary } = this.codec;
    if (frames.length === 1) socket.send(frames[0] as Uint8Array, binary);
    else
      socket.cork(() => {
        for (const frame of frames) if (socket.send(frame, binary) === DROPPED) return;
      });
  }

  /** The socket has room again. */
  sendHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#heldBytes = 0;
    for (const bytes of held) this.#sendNow(bytes);
    if (this.hasRoom) for (const resume of this.#roomWaiters.splice(0)) resume();
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

  /**
   * Sends a close frame; the close handler runs inside this call. uWebSockets takes nothing more from the socket from then on, and cuts it after 16 to
   * 20 s (4 to 8 s where pings are frequent) when the peer does not end it.
   *
   * @param text says more than the reason's own
   */
  end(reason: CloseReason, text: string = CLOSE_REASON_TEXTS[reason]): void {
    this.sendGathered();
    this.#socket?.end(CLOSE_CODES[reason], text);
  }
}
