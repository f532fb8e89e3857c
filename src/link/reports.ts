import type { Encoding } from '../protocol/codec.ts';
import type { FeedName } from '../protocol/feed-name.ts';

/** The worker's topics with the most members, or the named ones. */
export type TopicsWanted = { readonly top: number; readonly prefix?: string } | { readonly named: readonly FeedName[] };

export interface ConnectionsReport {
  readonly total: number;
  readonly connections: readonly ConnectionReport[];
}

/** One connection, for display. */
export interface ConnectionReport {
  readonly connectionId: string;
  readonly user: string | null;
  readonly encoding: Encoding;
  readonly connectedForMs: number;
  readonly subscriptions: number;
  /** Of the subscriptions, a limited number. */
  readonly topics: readonly FeedName[];
  readonly lagging: boolean;
  readonly bufferedBytes: number;
}

/** A worker's state, for display. Its metrics have a part of it, too. But only a scrape may read those, because reading resets some of them. */
export interface WorkerReport extends WorkerCounts {
  readonly index: number;
  readonly pid: number;
  /** Of them, a limited number that have lagged longest, longest first. */
  readonly longestLagging: readonly LaggingReport[];
  /** The requested topics; empty if none were requested. */
  readonly topics: readonly TopicReport[];
  readonly totals: WorkerTotals;
  readonly process: ProcessReport;
}

export interface WorkerCounts {
  readonly connections: number;
  readonly connectionsMax: number;
  readonly subscriptions: number;
  /** Connections whose sockets do not keep up now. */
  readonly lagging: number;
}

/** Of a worker, for other nodes. */
export interface WorkerSummary extends WorkerCounts {
  /** Since the worker started. */
  readonly deliveries: number;
}

/** What a process uses. */
export interface ProcessReport {
  readonly pid: number;
  readonly memoryBytes: number;
  /** CPU time since it started. */
  readonly cpuMs: number;
  /** The longest delay of a timer within ten seconds. */
  readonly loopLagMs: number;
}

/** Totals since the worker started; the maps are by code. */
export interface WorkerTotals {
  readonly deliveries: number;
  readonly sentBytes: number;
  readonly messagesIn: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  /** Counts of `stentor_publish_to_socket_seconds`: up to each bound, and of all. */
  readonly publishToSocket: readonly number[];
}

export interface LaggingReport {
  readonly connectionId: string;
  /** Null: anonymous. */
  readonly user: string | null;
  readonly laggingMs: number;
  /** Bytes that wait in its socket. */
  readonly bufferedBytes: number;
  /** Topics for which it is served separately. */
  readonly topics: number;
}

export interface TopicReport {
  readonly topic: FeedName;
  /** Including lagging ones. */
  readonly members: number;
  readonly lagging: number;
}
