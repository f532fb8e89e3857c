import type { PayloadKind } from '../config/schema.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { Tags } from '../protocol/tags.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { Channel, RequestAddress, UserChannel } from './channel.ts';
import type { ImageStore } from './image-store.ts';
import type { CallAnswer, CallPayloadKind, CallQuestion, IncomingRequest, OutgoingRequest } from './requests.ts';
import type { RevocationStore } from './revocation-store.ts';
import type { SubjectFault } from './subjects.ts';

/**
 * The contract between the hub and what carries publications: NATS, or memory. Every implementation passes `test/conformance/bus.ts`. It guarantees:
 *
 * - Offsets rise within a namespace's log; they are not contiguous within a topic.
 * - A log is delivered in offset order from the requested offset, each publication once, across reconnects and leader changes.
 * - Removal from a log is oldest-first within a topic (within a key of a keyed one). So while an anchor is still there, nothing after it is missing.
 * - Ephemeral publications are delivered at most once, in order per producer.
 */
export interface Bus {
  readonly kind: 'memory' | 'nats';
  readonly counters: Readonly<BusCounters>;
  /** Producers' messages that are not valid publications, counted with or without subscribers. Each count only rises. */
  faults(): Iterable<FaultCount>;
  /**
   * Connects, and creates or verifies what durable namespaces need.
   * @throws BusError `bus_unreachable`, `permission_denied`, `jetstream_unavailable`, `stream_mismatch`, `stream_missing`, `server_too_old`
   */
  start(): Promise<void>;
  /** Stops every follower and listener. Waiting publishes fail with `bus_closed`. */
  stop(): Promise<void>;
  readonly connected: boolean;
  /** Called on every change of {@link connected}. Returns a function that stops it. */
  onConnectedChange(listener: (connected: boolean) => void): () => void;
  /** The log of a durable namespace. @throws BusError `unknown_namespace` */
  log(namespace: string): Log;
  /**
   * Delivers what is published from now on to a topic of an ephemeral namespace, or to what else a name means. The receiver is an object, because functions
   * would have to be created for each of very many topics.
   */
  listen(name: FeedName, receiver: TopicReceiver): Listener;
  /**
   * Publishes to a topic of any namespace. Durable: resolves when the log has stored it. Ephemeral: when the broker has accepted it. The caller bounds how many
   * wait at the same time.
   * @throws BusError `bus_closed`, `publish_timeout` (outcome unknown), `bus_unreachable`, `publish_refused`, `permission_denied` (certainly not stored)
   */
  publish(request: PublishRequest): Promise<PublishAck>;
  /** Sends to every node that listens to the channel, including this one; to none if the bus is not connected. At most once. Never throws. */
  announce(channel: Channel, data: Uint8Array): void;
  /** Called with what nodes announce on the channel from now on. Returns a function that stops it. */
  onAnnouncement(channel: Channel, listener: (data: Uint8Array) => void): () => void;
  /** The same for the channel of one of very many users: the receiver is an object, and what stops it is one too. */
  listenToUser(channel: UserChannel, receiver: ChannelReceiver): Pick<Listener, 'stop'>;
  /**
   * Called when a producer says that it is there, although it may have nothing to publish on the topic. NATS: a message on `beat.<topic>`; its content means
   * nothing. Not stored. With memory there are no producers but this process, and none that only say so. Returns a function that stops it.
   */
  onHeartbeat(namespace: string, listener: (topic: Topic) => void): () => void;
  /**
   * Asks the broker for an answer. True: everything that it had sent to this node before the call has been received. False: the connection is lost. Never
   * rejects, and takes as long as the broker takes.
   */
  confirm(): Promise<boolean>;
  readonly revocations: RevocationStore;
  /** Calls the service of the method. @throws BusError `no_responders`, `call_timeout`, `bus_unreachable`, `permission_denied` */
  call(question: CallQuestion): Promise<CallAnswer>;
  /**
   * Sends to all nodes that listen to the address, including this one, at most once. Resolves when the broker has accepted it.
   * @throws BusError `bus_unreachable`, `publish_refused`, `permission_denied`
   */
  send(address: RequestAddress, payload: Uint8Array, payloadKind: CallPayloadKind): Promise<void>;
  /** Asks the node that listens to the address. @throws BusError `no_responders`, `call_timeout`, `bus_unreachable`, `permission_denied` */
  request(address: RequestAddress, request: OutgoingRequest): Promise<CallAnswer>;
  /** Called with what servers send to matching addresses from now on. Returns a function that stops it. */
  onRequest(pattern: RequestAddress, listener: (request: IncomingRequest) => void): () => void;
}

export interface ChannelReceiver {
  hear(data: Uint8Array): void;
}

/** Something for the operator's log. */
export interface BusNotice {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** For metrics. Each only rises. */
export interface BusCounters {
  /** Times that following a log was resumed, after a reconnect or because something was missing. */
  followerRestarts: number;
  /** Durable publishes that were sent again. */
  publishRetries: number;
  /** Publications whose origin no node had signed, where nodes sign. They have none. */
  originsForged: number;
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
  /** The place in the namespace's log; 0 in ephemeral namespaces. */
  readonly offset: number;
  /** When the bus stored it, milliseconds since 1970. */
  readonly publishedAtMs: number;
  /** Never changes, but may be a view of a larger buffer (up to 64 KiB). Copy what is kept for long. */
  readonly payload: Uint8Array;
  /** From the message's Content-Type. Undefined: as the namespace's option says. */
  readonly payloadKind: PayloadKind | undefined;
  readonly origin: Origin | undefined;
  /** Not for the connection that it comes from. */
  readonly noEcho?: true;
  /** Not kept, and not for subscribers that do not keep up now. Means nothing in durable namespaces. */
  readonly volatile?: true;
  /** In a document namespace: the whole document, not a patch. */
  readonly image?: boolean | undefined;
  /** When it happened, by its producer's clock: whole milliseconds since 1970. */
  readonly eventAtMs?: number | undefined;
  /** Absent: none. */
  readonly tags?: Tags | undefined;
}

/** Who published, if a client did, or a program on behalf of a connection. */
export interface Origin {
  /** Empty: a program that names only the connection. */
  readonly user: string;
  /** Unique across nodes. */
  readonly connectionId: string;
}

export interface PublishRequest {
  readonly topic: Topic;
  readonly key: Key | null;
  /** For another view or a buffer: the bytes that it covers, in memory order. */
  readonly payload: Uint8Array;
  readonly payloadKind: PayloadKind;
  /** Publications of a namespace with the same id within the deduplication window are stored once. See {@link messageId}. */
  readonly messageId?: string;
  readonly origin?: Origin;
  readonly noEcho?: true | undefined;
  readonly volatile?: true | undefined;
  /** In a document namespace: the whole document, not a patch. */
  readonly image?: boolean | undefined;
  /** When it happened, by its producer's clock: whole milliseconds since 1970. */
  readonly eventAtMs?: number | undefined;
  readonly tags?: Tags | undefined;
}

export interface PublishAck {
  /** Empty for ephemeral namespaces. */
  readonly epoch: string;
  /** The offset of the publication; for a duplicate, that of the first one. 0 for ephemeral namespaces. */
  readonly offset: number;
  readonly duplicate: boolean;
}

/** The receiver of an ephemeral topic. */
export interface TopicReceiver {
  onPublication(publication: Publication): void;
  /** The broker denies it to this node, or permits it again. Only changes after {@link Listener.live} are reported. */
  onDenied?(denied: boolean): void;
}

export interface Listener {
  /**
   * Resolves with true when nothing is missed from now on; or, if the bus is disconnected, soon, because ephemeral topics guarantee no more. Resolves with
   * false if the broker denies it; then it retries. Never rejects.
   */
  readonly live: Promise<boolean>;
  stop(): void;
}

/** The log of one durable namespace. It is read for a topic, or for what else a name means: one key of a topic. */
export interface Log {
  readonly namespace: string;
  /** Undefined: its topics have no documents. */
  readonly images: ImageStore | undefined;
  /**
   * The current state of the log. If it was recreated or rolled back, or no node can tell, it has a new epoch here, the same on every node. It takes some
   * seconds while that is uncertain.
   * @throws BusError `bus_unreachable`
   */
  state(): Promise<LogState>;
  /**
   * Delivers every publication of the namespace with an offset above `afterOffset`, in order, without end. Resolves when it has begun; publications may come
   * before that. With `interest`, publications of other topics may be left out. Retention may remove publications before a follower reads them. In a keyed
   * namespace, publications that a later one of the same key superseded are then left out. Anything else that is missing breaks the follower. `onBroken` is called
   * once when it cannot continue; the follower has then stopped.
   * Codes: `log_gone` (deleted or recreated: another epoch), `log_gap` (the next publication was lost, or it cannot tell), `log_rolled_back` (the log ends
   * before what was delivered, or differs there: another epoch).
   * @throws BusError the same codes if it cannot begin; `bus_unreachable`
   */
  follow(
    afterOffset: number,
    onPublication: (publication: Publication) => void,
    onBroken: (error: Error) => void,
    interest?: Interest,
  ): Promise<Follower>;
  /** Offset of the topic's last publication (of any key), read from the log's leader; 0 if it has none. */
  lastOffset(name: FeedName): Promise<number>;
  /**
   * Where a time is in the log: an offset between the last publication that was stored before it, by the log's clock, and the first one that was stored then or
   * later. Before all that is there: the offset before the first. After all: the end of the log. Where the clock went back (a new leader has another one), the first
   * publication with such a time counts.
   * @throws BusError `bus_unreachable`, `bus_busy`
   */
  offsetBefore(atMs: number): Promise<number>;
  /** The topic's publications with offsets in (after, upTo], oldest first, within bounds. @throws BusError `bus_unreachable`, `bus_busy` */
  read(name: FeedName, range: ReadRange): Promise<ReadResult>;
  /** The topic's last `count` publications, oldest first; fewer if their payloads exceed `bytesMax`, but at least one. */
  readLast(name: FeedName, count: number, bytesMax?: number): Promise<readonly Publication[]>;
  /**
   * Calls back with the topic's publications in a range, oldest first, up to the end of the log at this time. None of them is kept.
   * @throws BusError `bus_unreachable`, `bus_busy`
   */
  scan(name: FeedName, range: ScanRange, take: (publication: Publication) => void): Promise<ScanResult>;
  /** The latest publication of every key (of the topic itself if it is not keyed) with an offset above `after`, oldest first. */
  snapshot(name: FeedName, after?: number): Promise<readonly Publication[]>;
  /** The last publication of each, all of them topics without keys, or single keys; undefined: it has none. @throws BusError `bus_unreachable`, `bus_busy` */
  latest(names: readonly FeedName[]): Promise<readonly (Publication | undefined)[]>;
}

/** An earlier epoch of a log that a later one continues. */
export interface Predecessor {
  readonly epoch: string;
  /** Both are the same up to this offset. */
  readonly upTo: number;
}

export interface LogState {
  /** Names this epoch of the log. */
  readonly epoch: string;
  /** Earlier epochs whose positions are valid in this one too, up to an offset. Absent: none. */
  readonly before?: readonly Predecessor[];
  /** Offset of the oldest publication that is still there; lastOffset + 1 if there is none. */
  readonly firstOffset: number;
  readonly lastOffset: number;
  /**
   * Clients' positions before this offset cannot be trusted. This node lost the connection to the log, and what it had seen of it has been removed, so it
   * cannot tell whether they belong to this history. Absent: all can be trusted.
   */
  readonly knownFrom?: number;
  /** For a mirror: the end of its origin. The publications in between are still to be copied. */
  readonly originLastOffset?: number;
}

/** The topics that the owner of a follower wants. It may change at any time. */
export interface Interest {
  readonly topicCount: number;
  topics(): Iterable<Topic>;
  /** Publications of wanted topics that have been delivered. Only rises. */
  readonly received: number;
}

export interface Follower {
  /** Every publication up to here has been delivered, is not of a wanted topic, or never existed. */
  readonly position: number;
  /** False while it has lost its log, until it is confirmed that it continues in the same one. */
  readonly live: boolean;
  /** How often {@link live} has ended. While this stays the same, everything delivered belongs to one history. */
  readonly interruptions: number;
  /** Resolves with {@link live}: as soon as it is true, after the timeout, or when the follower has stopped. */
  whenLive(timeoutMs: number): Promise<boolean>;
  /** How many topics it asks for; undefined: for all of the namespace. */
  readonly filteredTopics: number | undefined;
  /**
   * Resolves when everything that is stored from now on for these topics of its interest is delivered, also if they were added a moment ago. Also resolves when
   * the follower loses its log or stops; {@link interruptions} tells.
   */
  cover(topics: readonly Topic[]): Promise<void>;
  /** Restarts from its position with a new consumer. */
  restart(reason: string): void;
  stop(): Promise<void>;
}

export interface ReadRange {
  readonly after: number;
  /** Default: the end of the log. */
  readonly upTo?: number;
  readonly limit: number;
  /** Maximum bytes of payloads, but at least one publication is returned. Default: no limit. */
  readonly bytesMax?: number;
}

export interface ReadResult {
  readonly publications: readonly Publication[];
  /**
   * True if it is proven that nothing of the topic with an offset above `after`, up to the last publication returned, has been removed. False if it could not
   * be proven, which is usual for keyed topics: they recover by {@link Log.snapshot}.
   */
  readonly anchored: boolean;
  /** The offset after which this is proven: `after`, or the first publication returned. Undefined: nothing is proven. */
  readonly provenAfter: number | undefined;
  /** The range has more than `limit` or `bytesMax` permitted. */
  readonly more: boolean;
}

export interface ScanRange {
  readonly after: number;
  /** Everything after that was stored at this time or later, milliseconds since 1970. Absent: that is not known. */
  readonly sinceMs?: number | undefined;
}

export interface ScanResult {
  /** Of the last publication; 0: there is none after it. */
  readonly offset: number;
  /** It is proven that nothing of the topic after the offset was removed before it was read: of no key, if it has keys. */
  readonly anchored: boolean;
}

export type BusErrorCode =
  | 'bus_unreachable'
  | 'bus_closed'
  | 'bus_busy'
  | 'jetstream_unavailable'
  | 'stream_mismatch'
  | 'stream_missing'
  /** The broker refused to create it; its message says why. */
  | 'stream_refused'
  | 'server_too_old'
  | 'unknown_namespace'
  /** The mirror may contain what its origin has lost. */
  | 'mirror_too_old'
  | 'log_gone'
  | 'log_gap'
  | 'log_rolled_back'
  /** The broker denies it to this node. An operator can change that. */
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
