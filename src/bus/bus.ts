import type { FeedName } from '../protocol/feed-name.ts';
import type { Topic } from '../protocol/topic.ts';
import type { Channel, RequestAddress, UserChannel } from './channel.ts';
import type { Log } from './log.ts';
import type { Publication, PublishAck, PublishRequest } from './publication.ts';
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
