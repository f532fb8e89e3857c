import { type Flush, framesFor } from '../fanout/flush.ts';
import type { Group } from '../fanout/group.ts';
import type { Recipient } from '../fanout/shard.ts';
import { CLOSE_CODES, CLOSE_REASON_TEXTS, type CloseReason } from '../protocol/close-codes.ts';
import type { Codec } from '../protocol/codec.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { ClientSocket } from '../transport/transport.ts';
import { ARRAY_BYTES, inArrays, JOINED_BYTES, type Outgoing } from './answer-arrays.ts';
import type { AnswerOutbox } from './answer-outbox.ts';
import type { Owner } from './shares.ts';
import type { Moved, StreamPositions } from './stream-positions.ts';
import { SubscriptionMap } from './subscription-map.ts';

/** Present while not all of a connection's topics are in the fast path. */
export interface Lag {
  /** The last progress: when it fell behind, or when it last got a part of the first items of a new subscription. */
  sinceMs: number;
  catchingUp: boolean;
  /** It has fallen behind; false: it is new. */
  fellBehind: boolean;
}

/** The same object for all receivers of a worker. */
export interface ReceiverOptions {
  readonly lagThresholdBytes: number;
  readonly sendBufferLimitBytes: number;
  /** Size of an array of answers, and of the largest answer in it. */
  readonly answerBytesPerMessageMax: number;
  readonly frameBytesMax: number;
  readonly outbox: AnswerOutbox;
  /** Counts those that are closed as too slow. */
  readonly closedSlow: { inc(): void };
  /** A stream of events was not sent something, because it would have left a gap. */
  readonly dropped: (receiver: Receiver) => void;
}

/** The open connection with this id; undefined: this worker has none. */
export type ReceiverOf = (connectionId: string) => Receiver | undefined;

const NOTHING: readonly Flush[] = [];

/** One client's connection, as delivery knows it: its subscriptions, and the order and pace of what it is sent. */
export class Receiver implements Recipient {
  readonly id: string;
  /** Set when it is accepted, and when its user is known. */
  owner: Owner = '';
  readonly codec: Codec;
  readonly socket: ClientSocket;
  /** Of a stream of events: what its peer comes back with. */
  readonly positions: StreamPositions | undefined;
  /** Whether it accepts compressed frames. Fixed before its first topic. */
  deflate = false;
  /** Set with its first topic. */
  group: Group | undefined;
  readonly subscriptions = new SubscriptionMap();
  lag: Lag | undefined;
  readonly #options: ReceiverOptions;
  /** The large answer that the next one waits for: one at a time. */
  #largeAnswer: Promise<unknown> | undefined;
  /** Answers that wait because the socket is full and would drop them. Bounded by `sendBufferLimitBytes`. */
  #queued: Outgoing[] | undefined;
  #queuedBytes = 0;
  /** Unanswered commands of arrays: while there are some, answers are collected. */
  #gathering = 0;
  /** Some commands of an array have not been carried out yet. */
  holdsAnswers = false;
  /** Answers that are sent together when the loop turn ends; bounded by `answerBytesPerMessageMax`. */
  #gathered: Outgoing[] | undefined;
  #gatheredBytes = 0;
  /** What waits until the fan-out visits the connection's group; bounded by half of `lagThresholdBytes`. */
  #flushes: Flush[] | undefined;
  #flushBytes = 0;
  /** Those that {@link sendFrames} has sent. */
  #sentFlushes = 0;
  #roomWaiters: (() => void)[] | undefined;

  constructor(id: string, codec: Codec, socket: ClientSocket, options: ReceiverOptions, positions?: StreamPositions) {
    this.id = id;
    this.codec = codec;
    this.socket = socket;
    this.positions = positions;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.socket.isOpen;
  }

  /** The socket has closed. Nothing waits for it any more: requests for room resolve immediately from now on, so that their callers end. */
  closed(): void {
    this.#queued = undefined;
    this.#queuedBytes = 0;
    this.#gathered = undefined;
    this.holdsAnswers = false;
    this.#forgetFlushes();
    this.#resumeWaiters();
  }

  /** Runs the work for a large answer after earlier ones. At most as many wait as the connection may have subscriptions, and requests for history and presence, under way. */
  inTurn<A>(work: () => Promise<A>): Promise<A> {
    const before = this.#largeAnswer ?? Promise.resolve();
    const done = before.then(work, work);
    this.#largeAnswer = done;
    const forget = () => {
      if (this.#largeAnswer === done) this.#largeAnswer = undefined;
    };
    done.then(forget, forget);
    return done;
  }

  /** Whether something large would be accepted now, and sent before the next native publish. Collected answers do not count: no drain of the socket tells of them. */
  get hasRoom(): boolean {
    return this.#queued === undefined && this.socket.bufferedBytes <= this.#options.lagThresholdBytes / 2;
  }

  /** Resolves when there is room, or the connection has closed. At most as many wait as the connection has subscriptions under way, plus one large answer. */
  whenRoom(): Promise<void> {
    if (this.hasRoom) return Promise.resolve();
    return new Promise((resolve) => {
      this.#roomWaiters ??= [];
      this.#roomWaiters.push(resolve);
    });
  }

  #resumeWaiters(): void {
    const waiters = this.#roomWaiters ?? [];
    this.#roomWaiters = undefined;
    for (const resume of waiters) resume();
  }

  send(message: ServerMessage): void {
    this.sendEncoded(this.codec.encode(message));
  }

  /** @param moved what it covers of a durable topic */
  sendEncoded(bytes: Uint8Array, moved?: Moved): void {
    // What the fan-out had for it earlier must arrive earlier.
    this.sendFrames();
    const message: Outgoing = { bytes, eventId: moved && this.positions?.move(moved) };
    // After the collected answers, even if the last command has been answered: later messages must not arrive earlier.
    if ((this.#gathering > 0 || this.#gathered !== undefined) && this.isOpen) this.#gather(message);
    else this.#sendNow(message);
  }

  #gather(message: Outgoing): void {
    const { answerBytesPerMessageMax, outbox } = this.#options;
    const bytes = message.bytes.length + JOINED_BYTES;
    if (this.#gathered !== undefined && this.#gatheredBytes + bytes > answerBytesPerMessageMax) this.sendGathered();
    if (this.#gathered === undefined) {
      this.#gathered = [];
      this.#gatheredBytes = ARRAY_BYTES;
      outbox.add(this);
    }
    this.#gathered.push(message);
    this.#gatheredBytes += bytes;
  }

  #sendNow(message: Outgoing): void {
    const { socket } = this;
    const { bytes, eventId } = message;
    if (!socket.isOpen) return;
    const { lagThresholdBytes, sendBufferLimitBytes } = this.#options;
    const { bufferedBytes } = socket;
    if (this.#queued === undefined && bufferedBytes <= lagThresholdBytes) {
      socket.send(bytes, this.codec.binary, eventId);
      return;
    }
    this.#queued ??= [];
    this.#queued.push(message);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes + bufferedBytes > sendBufferLimitBytes) this.end('tooSlow');
  }

  /** One message contained this many commands. Until each is {@link answered}, everything for the connection is collected and sent in one message per turn. */
  expectAnswers(commands: number): void {
    this.#gathering += commands;
  }

  answered(): void {
    this.#gathering--;
  }

  /** In one write, and as one message. In a stream of events each is an event. */
  sendGathered(): void {
    const gathered = this.#gathered;
    this.#gathered = undefined;
    if (gathered === undefined) return;
    const { codec, positions, socket } = this;
    const messages = positions === undefined ? inArrays(gathered, codec.encoding, this.#options.frameBytesMax) : gathered;
    socket.cork(() => {
      for (const message of messages) this.#sendNow(message);
    });
  }

  get isWaiting(): boolean {
    return this.#flushes !== undefined;
  }

  add(flush: Flush): boolean {
    const isFirst = this.#flushes === undefined;
    // Exactly as long as needed: mostly one waits, and an array that grows by push allocates 17 places at once.
    if (this.#flushes === undefined) this.#flushes = [flush];
    else this.#flushes.push(flush);
    this.#flushBytes += flush.sent.bytes;
    if (this.#flushBytes > this.#options.lagThresholdBytes / 2) this.sendFrames();
    return isFirst;
  }

  /** What waits, in one write. What a full socket does not accept is reported as dropped. */
  sendFrames(): void {
    const flushes = this.#flushes;
    const { socket } = this;
    if (flushes === undefined) return;
    const [first] = flushes;
    if (flushes.length > 1 || first === undefined) socket.cork(() => this.#sendFlushes(flushes));
    else if (first.parts.length > 1) socket.cork(() => this.#sendFlush(first));
    else this.#sendFlush(first);
    this.#forgetFlushes();
  }

  #sendFlushes(flushes: readonly Flush[]): void {
    for (const flush of flushes) {
      if (!this.#sendFlush(flush)) return;
      this.#sentFlushes++;
    }
  }

  #sendFlush(flush: Flush): boolean {
    if (this.positions !== undefined && flush.variant.feed.namespace.durable) return this.#sendEvents(this.positions, flush);
    const { binary } = this.codec;
    for (const part of flush.parts) for (const { bytes } of framesFor(part, this)) if (!this.socket.send(bytes, binary)) return false;
    return true;
  }

  /** To a stream of events. If something would be missing, nothing is sent: the stream goes back, and gets that from the log. */
  #sendEvents(positions: StreamPositions, { variant, epoch, parts }: Flush): boolean {
    const { topic } = variant.feed;
    for (const part of parts) {
      for (const { bytes, prev, offset } of framesFor(part, this)) {
        if (prev === undefined || offset === undefined) continue;
        const moved = { topic, epoch, prev, offset };
        if (positions.leavesGap(moved)) {
          this.#options.dropped(this);
          return false;
        }
        if (!this.#tell(bytes, moved)) return false;
      }
    }
    return true;
  }

  /** After what waits for it. What a full socket does not accept is reported as dropped. @param moved what it covers of a durable topic */
  tell(bytes: Uint8Array, moved?: Moved): void {
    this.sendFrames();
    this.#tell(bytes, moved);
  }

  #tell(bytes: Uint8Array, moved: Moved | undefined): boolean {
    const { positions, socket } = this;
    const { binary } = this.codec;
    if (positions === undefined || moved === undefined) return socket.send(bytes, binary);
    const before = positions.of(moved.topic);
    if (socket.send(bytes, binary, positions.move(moved))) return true;
    positions.goBack(moved.topic, before);
    return false;
  }

  /** What waited and has not been sent. It will not be sent. */
  takeUnsent(): readonly Flush[] {
    const unsent = this.#flushes?.slice(this.#sentFlushes) ?? NOTHING;
    this.#forgetFlushes();
    return unsent;
  }

  #forgetFlushes(): void {
    this.#flushes = undefined;
    this.#flushBytes = 0;
    this.#sentFlushes = 0;
  }

  /** The socket has room again. */
  sendQueued(): void {
    const queued = this.#queued ?? [];
    this.#queued = undefined;
    this.#queuedBytes = 0;
    for (const message of queued) this.#sendNow(message);
    if (this.hasRoom) this.#resumeWaiters();
  }

  /**
   * Closes the connection, and tells the peer why. The cleanup for a closed connection happens within this call.
   *
   * @param text more details than the reason's own text
   */
  end(reason: CloseReason, text: string = CLOSE_REASON_TEXTS[reason]): void {
    this.sendFrames();
    this.sendGathered();
    if (reason === 'tooSlow' && this.isOpen) this.#options.closedSlow.inc();
    this.socket.end(CLOSE_CODES[reason], text);
  }
}
