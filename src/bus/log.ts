import type { FeedName } from '../protocol/feed-name.ts';
import type { Topic } from '../protocol/topic.ts';
import type { ImageStore } from './image-store.ts';
import type { Publication } from './publication.ts';

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
