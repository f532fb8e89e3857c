/**
 * What the hub reports about its node, its topics and the nodes that share its bus. Types and limits only. The admin API's answers and the operator's page are
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
  /** Whether it is the node that answers. */
  readonly self: boolean;
  readonly heardMsAgo: number;
  /**
   * Interval of announcements. A node that is silent for several intervals is very busy, cut off from the bus, or has stopped. After a minute it is removed.
   */
  readonly announceIntervalMs: number;
}

/** A busy node misses an announcement now and then. */
const SILENT_INTERVALS = 3;

/** Whether a node has been silent for so long that something is wrong. */
export function isSilent({ heardMsAgo, announceIntervalMs }: Pick<NodeSummary, 'heardMsAgo' | 'announceIntervalMs'>): boolean {
  return heardMsAgo > SILENT_INTERVALS * announceIntervalMs;
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

export interface LaggingFigures {
  readonly worker: number;
  readonly connectionId: string;
  /** Null: anonymous. */
  readonly user: string | null;
  readonly laggingMs: number;
  /** Bytes that wait in its socket. */
  readonly bufferedBytes: number;
  /** Topics for which it is served separately. */
  readonly topics: number;
}

export type TopicSort = 'members' | 'rate';

/** The topics with the most members, or with the highest rate. */
export interface TopicsOverview {
  readonly sort: TopicSort;
  /** Number of topics open on this node; the list has the largest of them. */
  readonly total: number;
  readonly topics: readonly TopicFigures[];
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
