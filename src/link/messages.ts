import type { Config } from '../config/schema.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { PastLife } from '../recent/lives.ts';
import type { Missed } from '../recent/missed.ts';

/**
 * Everything that a hub and its workers say to each other. They know one another through these messages only.
 * `data` is always one MessagePack value: transcoded, or checked, once by the hub.
 */

/** A file that workers serve over plain HTTP beside the WebSocket endpoint: the demo page. */
export interface Page {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** A publication as workers see it. */
export interface LinkItem {
  readonly offset: number;
  readonly key: Key | null;
  /** One MessagePack value. */
  readonly data: Uint8Array;
  readonly publishedAtMs: number;
  /** The user that published it and through which connection, when a client did. */
  readonly user?: string;
  readonly connectionId?: string;
  /** The key is gone: an empty payload or JSON null in a keyed topic. */
  readonly removed?: true;
}

/** What a worker needs to serve a topic that has just been opened, or whose history is not what it was. */
export interface TopicState {
  readonly epoch: string;
  /** Lives whose positions are valid in this one too. */
  readonly before?: readonly PastLife[];
  /** The topic's offset as of this message: the next publication's `prev`. 0 for ephemeral topics. */
  readonly offset: number;
  /** `items` has the latest item of every key that changed after this offset. Of a topic without keys: its `offset`. */
  readonly completeFrom: number;
  /** Latest item per key (of the topic itself where it is not keyed), oldest first. */
  readonly items: readonly LinkItem[];
}

export type ToWorker =
  | {
      readonly kind: 'welcome';
      readonly config: Config;
      readonly nodeId: string;
      readonly workerIndex: number;
      readonly port: number;
      readonly busConnected: boolean;
      readonly pages: readonly Page[];
    }
  /** Take clients, as soon as prepared. */
  | { readonly kind: 'listen' }
  | ({ readonly kind: 'opened'; readonly topic: Topic; readonly topicNumber: number } & TopicState)
  | { readonly kind: 'openFailed'; readonly topic: Topic; readonly code: ErrorCode; readonly message: string }
  | ({ readonly kind: 'resync'; readonly topic: Topic; readonly topicNumber: number; readonly reason: string } & TopicState)
  | PublicationMessage
  | { readonly kind: 'published'; readonly requestId: number; readonly epoch: string; readonly offset: number; readonly duplicate: boolean }
  | ({ readonly kind: 'items'; readonly requestId: number } & HistoryAnswer)
  | ({ readonly kind: 'recovery'; readonly requestId: number } & RecoveryAnswer)
  | { readonly kind: 'result'; readonly requestId: number; readonly data: Uint8Array }
  /** A service refused a call, in its own words. */
  | { readonly kind: 'serviceError'; readonly requestId: number; readonly code: string; readonly message: string }
  | { readonly kind: 'failed'; readonly requestId: number; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'busStatus'; readonly connected: boolean }
  /** Nothing of an open topic comes (with the reason, for clients), or it comes again (null). */
  | { readonly kind: 'topicStatus'; readonly topic: Topic; readonly awayReason: string | null }
  | { readonly kind: 'metricsWanted'; readonly requestId: number }
  /** Answered with a report, which says something of these topics too. */
  | { readonly kind: 'reportWanted'; readonly requestId: number; readonly topics?: TopicsWanted }
  | { readonly kind: 'drain' };

/** What a worker found at its start, for the log. */
export interface WorkerFacts {
  /** Package that uWebSockets.js was loaded from. */
  readonly uws: string;
  /** As configured, or as many as the descriptor limit allows. */
  readonly connectionsMax: number;
}

export type ToHub =
  /** Has all that it needs to take clients. */
  | { readonly kind: 'prepared' }
  | ({ readonly kind: 'listening'; readonly port: number } & WorkerFacts)
  | { readonly kind: 'startFailed'; readonly code: string; readonly message: string }
  | { readonly kind: 'open'; readonly topic: Topic }
  | { readonly kind: 'close'; readonly topic: Topic }
  | {
      readonly kind: 'publish';
      readonly requestId: number;
      readonly topic: Topic;
      readonly key: Key | null;
      readonly data: Uint8Array;
      readonly idempotencyKey: string | undefined;
      readonly user: string;
      readonly connectionId: string;
    }
  | {
      readonly kind: 'read';
      readonly requestId: number;
      readonly topic: Topic;
      readonly epoch: string;
      readonly after: number;
      readonly limit: number;
      /** Of data, at most; one publication comes in any case. */
      readonly bytesMax: number;
      /** Every publication up to this offset, as they lie in the log; else the latest of each key in a keyed topic. */
      readonly upTo?: number;
    }
  /** The first page of the last so many. */
  | { readonly kind: 'readLast'; readonly requestId: number; readonly topic: Topic; readonly count: number; readonly bytesMax: number }
  /** Everything after a position, for whoever comes back with one; the topic must be open. */
  | { readonly kind: 'recover'; readonly requestId: number; readonly topic: Topic; readonly after: number }
  | {
      readonly kind: 'call';
      readonly requestId: number;
      readonly method: string;
      readonly data: Uint8Array;
      readonly timeoutMs: number;
      readonly user: string;
      readonly connectionId: string;
    }
  | { readonly kind: 'metrics'; readonly requestId: number; readonly metrics: unknown }
  | { readonly kind: 'report'; readonly requestId: number; readonly report: WorkerReport }
  | { readonly kind: 'drained' };

/** The worker's topics with the most members, or these. */
export type TopicsWanted = { readonly top: number } | { readonly named: readonly Topic[] };

/**
 * A worker's state, for people. A part of what its metrics say, too; but reading all of them is for a scrape, since some begin anew with it.
 */
export interface WorkerReport {
  readonly index: number;
  readonly pid: number;
  readonly connections: number;
  readonly connectionsMax: number;
  readonly subscriptions: number;
  /** Connections whose socket does not keep up now. */
  readonly lagging: number;
  /** Of them those that have lagged longest, longest first; a bounded few. */
  readonly longestLagging: readonly LaggingReport[];
  /** As many as were asked for; empty when none were. */
  readonly topics: readonly TopicReport[];
  readonly totals: WorkerTotals;
}

/** Since the worker started; the maps are by code. */
export interface WorkerTotals {
  readonly deliveries: number;
  readonly sentBytes: number;
  readonly messagesIn: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
}

export interface LaggingReport {
  readonly connectionId: string;
  readonly user: string | null;
  readonly laggingMs: number;
  readonly bufferedBytes: number;
  readonly topics: number;
}

export interface TopicReport {
  readonly topic: Topic;
  /** Lagging ones included. */
  readonly members: number;
  readonly lagging: number;
}

export interface HistoryAnswer {
  readonly epoch: string;
  /** The log has been read up to here for this topic: what follows comes live, or by another read. */
  readonly offset: number;
  /** Nothing between the position asked for and `offset` is missing from `items` (latest per key only, for keyed topics). */
  readonly complete: boolean;
  readonly more: boolean;
  readonly items: readonly LinkItem[];
  /** Of the last so many: where the last of them is. */
  readonly lastOffset?: number;
}

/** What a topic was lately, for all who come back to it. */
export type RecoveryAnswer = Missed<LinkItem>;

/** One publication on its way to workers. The same object goes to every worker, so its bytes are made once, when a socket needs them. */
export class PublicationMessage {
  readonly kind = 'publication';
  readonly topicNumber: number;
  /** The topic's offset just before this item; 0 for ephemeral topics. */
  readonly prev: number;
  readonly item: LinkItem;
  /** The record as it goes over a socket, kept here by the wire so that it is made once for all workers. */
  encoded: Buffer | undefined = undefined;

  constructor(topicNumber: number, prev: number, item: LinkItem) {
    this.topicNumber = topicNumber;
    this.prev = prev;
    this.item = item;
  }
}
