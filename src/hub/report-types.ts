import type { LaggingReport } from '../link/reports.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { Tags } from '../protocol/tags.ts';
import type { SeriesColumns } from './series/fields.ts';

/**
 * What the hub reports about its node, its topics and the nodes that share its bus. Types and limits only. The HTTP API's answers and the operator's page are
 * built from them.
 */

/** What a node reports about its workers and connections. */
export interface NodeFigures {
  /** Topics open on this node. */
  readonly topics: number;
  /** Sorted by index. */
  readonly workers: readonly WorkerFigures[];
  /** Workers that were too busy to answer in time. All figures exclude them. */
  readonly workersSilent: number;
  /** The connections that have lagged longest, longest first: at most 50 of each worker. */
  readonly lagging: readonly LaggingFigures[];
  /** Totals since the processes started. To get rates, request them twice. A restarted worker starts at 0. */
  readonly totals: NodeTotals;
  readonly errors: NodeErrors;
  readonly processes: ProcessTotals;
  /** Counts of `stentor_publish_to_socket_seconds` of all workers: up to each bound, and of all. */
  readonly publishToSocket: readonly number[];
}

/** All processes of a node together. */
export interface ProcessTotals {
  readonly memoryBytes: number;
  /** CPU time since they started. */
  readonly cpuMs: number;
  /** Of the process where it is longest. */
  readonly loopLagMs: number;
}

export interface NodeTotals {
  readonly publicationsIn: number;
  /** Publications passed to sockets: items times members. */
  readonly deliveries: number;
  readonly sentBytes: number;
  readonly messagesIn: number;
}

/** A node, as it last announced itself. */
export interface NodeSummary {
  readonly nodeId: string;
  /** The host name. */
  readonly host: string;
  readonly version: string;
  readonly uptimeMs: number;
  /** Why it is not ready; null if it is ready. */
  readonly notReady: string | null;
  readonly workers: number;
  readonly connections: number;
  readonly connectionsMax: number;
  readonly subscriptions: number;
  readonly lagging: number;
  /** Open on it. */
  readonly topics: number;
  /** Since the announcement before; null: not known yet. */
  readonly publicationsPerSecond: number | null;
  readonly deliveriesPerSecond: number | null;
  /** Its clock minus that of the node that answers, as of its last announcement. Too small by the time that this took. */
  readonly clockOffsetMs: number;
  /** Whether it is the node that answers. */
  readonly self: boolean;
  readonly heardMsAgo: number;
  /** It has missed several announcements: it is very busy, cut off from the bus, or has stopped. After a minute it is removed. Never true of the node itself. */
  readonly silent: boolean;
  readonly announceIntervalMs: number;
}

/** Counts by code or reason, the most frequent first. */
export interface NodeErrors {
  /** Errors sent to clients, by the protocol's error code. */
  readonly sent: readonly Count[];
  /** Connections closed, by close code. */
  readonly closed: readonly Count[];
  /** Upgrades refused, by HTTP status. */
  readonly refused: readonly Count[];
  /** Producers' publications that were skipped, by reason. */
  readonly skipped: readonly Count[];
}

export interface Count {
  readonly code: string;
  readonly count: number;
}

export interface WorkerFigures {
  readonly index: number;
  readonly pid: number;
  readonly connections: number;
  readonly connectionsMax: number;
  /** Subscriptions of all connections. */
  readonly subscriptions: number;
  /** Connections whose sockets do not keep up now. */
  readonly lagging: number;
}

export interface LaggingFigures extends LaggingReport {
  readonly worker: number;
}

export type TopicSort = 'members' | 'rate' | 'name';

/** A part of a list that is sorted by name. */
export interface PageOfNames {
  /** Only names that begin with it. */
  readonly prefix?: string | undefined;
  /** Only names that come after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** `after` is only for `sort: 'name'`. */
export interface TopicsQuestion extends PageOfNames {
  readonly sort: TopicSort;
}

/** The topics with the most members, or with the highest rate, or a page of all. */
export interface TopicsOverview {
  readonly sort: TopicSort;
  /** Number of topics open on this node; with a prefix, of those that begin with it. */
  readonly total: number;
  readonly topics: readonly TopicFigures[];
  /** With `sort: 'name'`: the next page comes after this topic. Absent: there is none. */
  readonly next?: string;
  /** Workers that were too busy to answer in time. Their members are not counted. */
  readonly workersSilent: number;
}

export interface TopicFigures {
  readonly topic: string;
  /** On this node, including lagging ones. */
  readonly members: number;
  readonly lagging: number;
  /** Publications a second since rates were last requested; over one second if that was more than ten seconds ago. */
  readonly publicationsPerSecond: number;
}

/** Maximum number of topics in an overview. A worker reports as many of its largest topics, too. */
export const TOPICS_MAX = 500;

/** A page of the users that have connections to this node. */
export interface UsersOverview {
  readonly total: number;
  readonly users: readonly { readonly user: string; readonly connections: number }[];
  /** The next page comes after this user. Absent: there is none. */
  readonly next?: string;
}

/** Connections to this node that a question is about. */
export interface ConnectionsOverview {
  readonly total: number;
  readonly connections: readonly ConnectionFigures[];
  readonly workersSilent: number;
}

export interface ConnectionFigures {
  readonly connectionId: string;
  /** Null: anonymous. */
  readonly user: string | null;
  readonly encoding: 'json' | 'msgpack';
  /** Time since it was opened, in whole seconds. */
  readonly connectedForMs: number;
  readonly subscriptions: number;
  /** Of the subscriptions, a limited number. */
  readonly topics: readonly string[];
  readonly lagging: boolean;
  readonly bufferedBytes: number;
}

/** Which nodes an answer is from. */
export interface FromNodes {
  /** How many have answered, with this one. */
  readonly nodes: number;
  /** Names of the known nodes that did not answer in time, sorted: what they have is missing. */
  readonly nodesSilent: readonly string[];
}

/** Of all nodes. With several nodes `total` is the least that there can be: a name that several nodes have counts once. */
export interface UsersFound extends UsersOverview, FromNodes {}
export interface TopicsFound extends TopicsOverview, FromNodes {}
export interface ConnectionsFound extends FromNodes {
  readonly total: number;
  readonly connections: readonly (ConnectionFigures & { readonly nodeId: string })[];
  readonly workersSilent: number;
}

/** Who is subscribed to a topic, on all nodes. */
export interface PresenceOverview {
  readonly count: number;
  readonly members?: readonly PresentMember[];
  /** They are too many to be named. */
  readonly membersOmitted?: true;
}

export interface PresentMember {
  readonly user?: string;
  /** Of an anonymous member. */
  readonly connectionId?: string;
  readonly info?: unknown;
}

/** What comes after a position, or from a time on, and before a time; without any of them, the last publications. */
export interface HistoryQuestion {
  readonly topic: FeedName;
  readonly since?: { readonly epoch: string; readonly offset: number } | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly limit: number;
}

export interface HistoryPage {
  readonly epoch: string;
  /** The page covers the topic up to here. */
  readonly offset: number;
  /** Nothing between the position and `offset` is missing (only superseded items, in a keyed topic). */
  readonly complete: boolean;
  readonly more: boolean;
  readonly items: readonly HistoryItem[];
}

export interface HistoryItem {
  readonly offset: number;
  readonly key: string | null;
  /** One MessagePack value. */
  readonly data: Uint8Array;
  readonly publishedAtMs: number;
  /** When it happened, by its producer's clock. */
  readonly eventAtMs?: number | undefined;
  /** The user that published it, if a client did. */
  readonly user?: string;
  readonly removed?: true;
  /** `data` is a merge patch of the document. */
  readonly patch?: true;
  readonly tags?: Tags | undefined;
}

/** The last hour of each node. */
export interface SeriesFound extends FromNodes {
  readonly intervalMs: number;
  readonly series: readonly ({ readonly nodeId: string; readonly self: boolean } & SeriesColumns)[];
}
