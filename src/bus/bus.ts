import type { PayloadKind } from '../config/schema.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { SubjectFault } from './subjects.ts';

/**
 * The contract between the hub and whatever carries publications: NATS, or memory. Every implementation passes
 * `test/conformance/bus.ts`. Promises:
 *
 * - Offsets rise within a namespace's log; they are not contiguous within a topic.
 * - A log is delivered in offset order, each publication once, from the offset asked for, across reconnects and leader changes.
 * - Removal from a log is oldest-first within a topic (within a key of a keyed one), so while an anchor is still there, nothing after it is missing.
 * - Ephemeral publications are delivered at most once, in order per producer.
 */
export interface Bus {
  readonly kind: 'memory' | 'nats';
  readonly counters: Readonly<BusCounters>;
  /** Producers' messages that are no publications, counted whether or not anybody listens. Each count only rises. */
  faults(): Iterable<FaultCount>;
  /**
   * Connects, and creates or verifies what durable namespaces need.
   * @throws BusError `bus_unreachable`, `permission_denied`, `jetstream_unavailable`, `stream_mismatch`, `stream_missing`, `server_too_old`
   */
  start(): Promise<void>;
  /** Ends every follower and listener; publishes that wait fail with `bus_closed`. */
  stop(): Promise<void>;
  readonly connected: boolean;
  /** Called on every change of {@link connected}; returns how to stop listening. */
  onConnectedChange(listener: (connected: boolean) => void): () => void;
  /** The log of a durable namespace. @throws BusError `unknown_namespace` */
  log(namespace: string): Log;
  /**
   * Delivers what is published from now on to a topic of an ephemeral namespace. The receiver is an object, and no functions that would have to be made for
   * each of very many topics.
   */
  listen(topic: Topic, receiver: TopicReceiver): Listener;
  /**
   * Publishes to a topic of any namespace. Durable: resolves when the log has it. Ephemeral: when the broker has taken it.
   * The caller bounds how many wait at once.
   * @throws BusError `bus_closed`, `publish_timeout` (outcome unknown), `bus_unreachable`, `publish_refused`, `permission_denied` (surely not stored)
   */
  publish(request: PublishRequest): Promise<PublishAck>;
  /** Tells every node that listens to the channel, this one too; where the bus is not connected, nobody. At most once. Never throws. */
  announce(channel: Channel, data: Uint8Array): void;
  /** Called with what nodes announce on the channel from now on; returns how to stop listening. */
  onAnnouncement(channel: Channel, listener: (data: Uint8Array) => void): () => void;
  /** Asks whoever serves the method. @throws BusError `no_responders`, `call_timeout`, `bus_unreachable`, `permission_denied` */
  call(question: CallQuestion): Promise<CallAnswer>;
}

/** On which nodes tell each other something: `nodes`, `presence.all`. Tokens of `[A-Za-z0-9_-]` joined by dots. */
export type Channel = `${'nodes' | 'presence'}${'' | `.${string}`}`;

/** What an operator may want to read in the log. */
export interface BusNotice {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** For metrics; each only rises. */
export interface BusCounters {
  /** Times that following a log was resumed, after a reconnect or because something was missing. */
  followerRestarts: number;
  /** Durable publishes sent once more. */
  publishRetries: number;
}

export interface FaultCount {
  readonly namespace: string;
  readonly fault: SubjectFault;
  readonly messages: number;
}

/** One message on a topic, as its producer sent it. */
export interface Publication {
  readonly topic: Topic;
  /** `null` in namespaces that are not keyed. */
  readonly key: Key | null;
  /** Place in the namespace's log; 0 in ephemeral namespaces. */
  readonly offset: number;
  /** When the bus took it, milliseconds since 1970. */
  readonly publishedAtMs: number;
  /** Never changes, but may be a view of a larger buffer (up to 64 KiB): copy what is kept for long. */
  readonly payload: Uint8Array;
  /** From the message's Content-Type; undefined: as the namespace's option says. */
  readonly payloadKind: PayloadKind | undefined;
  readonly origin: Origin | undefined;
}

/** Who published, when a client did. */
export interface Origin {
  readonly user: string;
  /** Unique across nodes. */
  readonly connectionId: string;
}

/** Formats that services are asked in. */
export type CallPayloadKind = Exclude<PayloadKind, 'bytes'>;

export interface CallQuestion {
  readonly method: string;
  readonly payload: Uint8Array;
  readonly payloadKind: CallPayloadKind;
  readonly timeoutMs: number;
  readonly caller: Caller;
}

/** Who asks, and through which node. */
export interface Caller extends Origin {
  readonly nodeId: string;
}

/** What the service answers: a result, or an error with a code and a text of its own. */
export type CallAnswer =
  | {
      readonly kind: 'result';
      readonly payload: Uint8Array;
      /** From the answer's Content-Type; undefined: as the question. */
      readonly payloadKind: PayloadKind | undefined;
    }
  | ServiceError;

/** As the service says it: not bounded, not checked. */
export interface ServiceError {
  readonly kind: 'serviceError';
  /** Empty: it has none. */
  readonly code: string;
  readonly text: string;
}

export interface PublishRequest {
  readonly topic: Topic;
  readonly key: Key | null;
  /** Of another view or a buffer: the bytes that it covers, as they lie in memory. */
  readonly payload: Uint8Array;
  readonly payloadKind: PayloadKind;
  /** Publications of a namespace with the same id inside the dedupe window are stored once. See {@link messageId}. */
  readonly messageId?: string;
  readonly origin?: Origin;
}

export interface PublishAck {
  /** Empty for ephemeral namespaces. */
  readonly epoch: string;
  /** Where the publication is; of a duplicate, where the first one is. 0 for ephemeral namespaces. */
  readonly offset: number;
  readonly duplicate: boolean;
}

/** What is told of an ephemeral topic. */
export interface TopicReceiver {
  onPublication(publication: Publication): void;
  /** The broker denies it to this node, or permits it again: only what changes after {@link Listener.live}. */
  onDenied?(denied: boolean): void;
}

export interface Listener {
  /**
   * Resolves with true when nothing is missed from now on; or, where the bus is away, soon: an ephemeral topic promises no more.
   * With false when the broker denies it; it is asked on. Never rejects.
   */
  readonly live: Promise<boolean>;
  stop(): void;
}

/** The log of one durable namespace. */
export interface Log {
  readonly namespace: string;
  /**
   * As the log is now. Where it turns out not to be what it was (made anew, rolled back, or nobody left who can tell), it has a new epoch here, the
   * same on every node. Takes some seconds while that is in doubt.
   * @throws BusError `bus_unreachable`
   */
  state(): Promise<LogState>;
  /**
   * Delivers every publication of the namespace with an offset above `afterOffset`, in order, for ever. Resolves when it has begun;
   * publications may come before that. Retention may be faster than a follower: in a keyed namespace publications that a later one of the
   * same key superseded are then left out; anything else that is missing breaks the follower.
   * `onBroken` is called once when it cannot go on; the follower has then stopped. Codes: `log_gone` (deleted, or made anew: another
   * epoch), `log_gap` (lost what should come next, or cannot tell), `log_rolled_back` (ends before, or differs at, what was delivered: another epoch).
   * @throws BusError the same codes when it cannot begin; `bus_unreachable`
   */
  follow(afterOffset: number, onPublication: (publication: Publication) => void, onBroken: (error: Error) => void): Promise<Follower>;
  /** Offset of the topic's last publication (of any key), read from the log's leader; 0 when it has none. */
  lastOffset(topic: Topic): Promise<number>;
  /** The topic's publications with offsets in (after, upTo], oldest first, within bounds. @throws BusError `bus_unreachable`, `bus_busy` */
  read(topic: Topic, range: ReadRange): Promise<ReadResult>;
  /** The topic's last `count` publications, oldest first; fewer where their payloads have more than `bytesMax`, one in any case. */
  readLast(topic: Topic, count: number, bytesMax?: number): Promise<readonly Publication[]>;
  /** The latest publication of every key (of the topic itself where it is not keyed), oldest first, with offsets above `after`. */
  snapshot(topic: Topic, after?: number): Promise<readonly Publication[]>;
}

/** A life of a log that another one goes on from. */
export interface Predecessor {
  readonly epoch: string;
  /** Up to this offset both are the same. */
  readonly upTo: number;
}

export interface LogState {
  /** Names this life of the log. */
  readonly epoch: string;
  /** Lives whose positions are valid in this one too, up to a point. Absent: none. */
  readonly before?: readonly Predecessor[];
  /** Offset of the oldest publication still there; lastOffset + 1 when there is none. */
  readonly firstOffset: number;
  readonly lastOffset: number;
  /**
   * Clients' positions before this offset cannot be trusted: this node lost touch with the log, and what it had seen of it is not kept any more, so nobody
   * can tell whether they are of this history. Absent: all can.
   */
  readonly knownFrom?: number;
  /** Of a mirror: how far its origin has come. What lies between is on its way. */
  readonly originLastOffset?: number;
}

export interface Follower {
  /** Every publication up to here has been delivered, or never existed. */
  readonly position: number;
  /** False while it has lost touch with its log: until it is sure that it goes on in the same one. */
  readonly live: boolean;
  /** How often {@link live} has ended. While this stays the same, all that is delivered is of one history. */
  readonly interruptions: number;
  /** Resolves with {@link live}, as soon as that is true, or after so long, or when the follower has stopped. */
  whenLive(timeoutMs: number): Promise<boolean>;
  /** Follows on from its position by other means than now. */
  restart(reason: string): void;
  stop(): Promise<void>;
}

export interface ReadRange {
  readonly after: number;
  /** Default: the end of the log. */
  readonly upTo?: number;
  readonly limit: number;
  /** Of payloads, at most; one publication comes in any case. Default: no bound. */
  readonly bytesMax?: number;
}

export interface ReadResult {
  readonly publications: readonly Publication[];
  /**
   * Proven: nothing of the topic with an offset above `after`, up to the last publication returned, has been removed. False when it could
   * not be proven, which is usual for keyed topics: they recover by {@link Log.snapshot}.
   */
  readonly anchored: boolean;
  /** The same, from where it could be proven: `after`, or the first publication returned. Undefined: from nowhere. */
  readonly provenAfter: number | undefined;
  /** There is more in the range than `limit` or `bytesMax` let through. */
  readonly more: boolean;
}

export type BusErrorCode =
  | 'bus_unreachable'
  | 'bus_closed'
  | 'bus_busy'
  | 'jetstream_unavailable'
  | 'stream_mismatch'
  | 'stream_missing'
  /** The broker does not make it: its message says why. */
  | 'stream_refused'
  | 'server_too_old'
  | 'unknown_namespace'
  /** A mirror that may have what its origin lost. */
  | 'mirror_too_old'
  | 'log_gone'
  | 'log_gap'
  | 'log_rolled_back'
  /** The broker denies it to this node, which an operator can change. */
  | 'permission_denied'
  | 'publish_timeout'
  | 'publish_refused'
  | 'no_responders'
  | 'call_timeout';

export class BusError extends Error {
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BusError';
    this.code = code;
  }
}
