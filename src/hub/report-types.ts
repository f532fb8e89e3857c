/** What the hub reports of its node, of its topics and of the nodes that share its bus. Types and bounds only: the admin API's answers and the operator's page are made of them. */

/** What a node says of its workers and connections. */
export interface NodeFigures {
  /** Topics open on this node. */
  readonly topics: number;
  /** In the order of their indexes. */
  readonly workers: readonly WorkerFigures[];
  /** Workers that were too busy to answer in time: all figures here are without them. */
  readonly workersSilent: number;
  /** The connections that have lagged longest, longest first: 50 of each worker at most. */
  readonly lagging: readonly LaggingFigures[];
  /** Since the processes started; whoever wants rates asks twice. A worker that is started again counts from 0. */
  readonly totals: NodeTotals;
  readonly errors: NodeErrors;
}

export interface NodeTotals {
  readonly publicationsIn: number;
  /** Publications handed to sockets: items times members. */
  readonly deliveries: number;
  readonly sentBytes: number;
  readonly messagesIn: number;
}

/** A node as it last said it was. */
export interface NodeSummary {
  readonly nodeId: string;
  /** The name of its machine. */
  readonly host: string;
  readonly version: string;
  readonly uptimeMs: number;
  /** Why it is not ready; null: it is. */
  readonly notReady: string | null;
  readonly workers: number;
  readonly connections: number;
  readonly connectionsMax: number;
  readonly subscriptions: number;
  readonly lagging: number;
  /** Open on it. */
  readonly topics: number;
  /** Since it said so before; null: not known yet. */
  readonly publicationsPerSecond: number | null;
  readonly deliveriesPerSecond: number | null;
  /** The one that answers. */
  readonly self: boolean;
  readonly heardMsAgo: number;
  /** It says so this often: one that is silent for some times as long is very busy, cut off from the bus, or gone. After a minute it is forgotten. */
  readonly announceIntervalMs: number;
}

/** It misses one now and then when it is busy. */
const SILENT_INTERVALS = 3;

/** Has a node said nothing for so long that something is wrong? */
export function isSilent({ heardMsAgo, announceIntervalMs }: Pick<NodeSummary, 'heardMsAgo' | 'announceIntervalMs'>): boolean {
  return heardMsAgo > SILENT_INTERVALS * announceIntervalMs;
}

/** How often, by what; the most frequent first. */
export interface NodeErrors {
  /** Errors sent to clients, by the protocol's error code. */
  readonly sent: readonly Count[];
  /** Connections closed, by close code. */
  readonly closed: readonly Count[];
  /** Upgrades refused, by HTTP status. */
  readonly refused: readonly Count[];
  /** Producers' publications skipped, by reason. */
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
  /** Topics that connections are subscribed to, added up. */
  readonly subscriptions: number;
  /** Connections whose socket does not keep up now. */
  readonly lagging: number;
}

export interface LaggingFigures {
  readonly worker: number;
  readonly connectionId: string;
  /** Null: anonymous. */
  readonly user: string | null;
  readonly laggingMs: number;
  /** Waiting in its socket. */
  readonly bufferedBytes: number;
  /** Topics in which it has left the fast path. */
  readonly topics: number;
}

export type TopicSort = 'members' | 'rate';

/** The topics with the most members, or with the highest rate. */
export interface TopicsOverview {
  readonly sort: TopicSort;
  /** Open on this node; the list has the greatest of them. */
  readonly total: number;
  readonly topics: readonly TopicFigures[];
  /** Workers that were too busy to answer in time: their members are not counted. */
  readonly workersSilent: number;
}

export interface TopicFigures {
  readonly topic: string;
  /** On this node, lagging ones included. */
  readonly members: number;
  readonly lagging: number;
  /** Publications a second since rates were last asked for; over a second where that is longer ago than ten. */
  readonly publicationsPerSecond: number;
}

/** Topics of an overview at most; a worker names so many of its greatest topics, too. */
export const TOPICS_MAX = 500;
