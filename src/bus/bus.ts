import type { PayloadKind } from '../config/schema.ts';
import type { Key, Topic } from '../protocol/topic.ts';

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
  /**
   * Connects, and creates or verifies what durable namespaces need.
   * @throws BusError `bus_unreachable`, `stream_mismatch`, `server_too_old`
   */
  start(): Promise<void>;
  /** Ends every follower and listener; publishes that wait fail with `bus_closed`. */
  stop(): Promise<void>;
  readonly connected: boolean;
  /** Called on every change of {@link connected}; returns how to stop listening. */
  onConnectedChange(listener: (connected: boolean) => void): () => void;
  /** The log of a durable namespace. @throws BusError `unknown_namespace` */
  log(namespace: string): Log;
  /** Delivers what is published from now on to a topic of an ephemeral namespace. */
  listen(topic: Topic, onPublication: (publication: Publication) => void): Listener;
  /**
   * Publishes to a topic of any namespace. Durable: resolves when the log has it. Ephemeral: when it has been handed to the bus.
   * @throws BusError `bus_closed`, `publish_timeout` (outcome unknown), `bus_unreachable` (surely not stored)
   */
  publish(request: PublishRequest): Promise<PublishAck>;
  /** Asks whoever serves `method`. @throws BusError `no_responders`, `call_timeout`, `bus_unreachable` */
  call(method: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
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

export interface PublishRequest {
  readonly topic: Topic;
  readonly key: Key | null;
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

export interface Listener {
  stop(): void;
}

/** The log of one durable namespace. */
export interface Log {
  readonly namespace: string;
  /** @throws BusError `bus_unreachable` */
  state(): Promise<LogState>;
  /**
   * Delivers every publication of the namespace with an offset above `afterOffset`, in order, for ever.
   * `onBroken` is called once when it cannot go on (the log is gone, or lost what should come next); the follower has then stopped.
   */
  follow(afterOffset: number, onPublication: (publication: Publication) => void, onBroken: (error: Error) => void): Promise<Follower>;
  /** Offset of the topic's last publication (of any key), read from the log's leader; 0 when it has none. */
  lastOffset(topic: Topic): Promise<number>;
  /** The topic's publications with offsets in (after, upTo], oldest first, `limit` at most. */
  read(topic: Topic, range: ReadRange): Promise<ReadResult>;
  /** The topic's last `count` publications, oldest first. */
  readLast(topic: Topic, count: number): Promise<readonly Publication[]>;
  /** The latest publication of every key (of the topic itself where it is not keyed), oldest first, with offsets above `after`. */
  snapshot(topic: Topic, after?: number): Promise<readonly Publication[]>;
}

export interface LogState {
  /** Names this life of the log. */
  readonly epoch: string;
  /** Offset of the oldest publication still there; lastOffset + 1 when there is none. */
  readonly firstOffset: number;
  readonly lastOffset: number;
}

export interface Follower {
  /** Every publication up to here has been delivered, or never existed. */
  readonly position: number;
  stop(): Promise<void>;
}

export interface ReadRange {
  readonly after: number;
  /** Default: the end of the log. */
  readonly upTo?: number;
  readonly limit: number;
}

export interface ReadResult {
  readonly publications: readonly Publication[];
  /** Nothing of the topic between `after` and the first publication returned has been removed. */
  readonly anchored: boolean;
  /** There is more in the range than `limit`. */
  readonly more: boolean;
}

export type BusErrorCode =
  | 'bus_unreachable'
  | 'bus_closed'
  | 'stream_mismatch'
  | 'server_too_old'
  | 'unknown_namespace'
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
