import type { TlsMaterial } from '../config/certificates.ts';
import type { Config } from '../config/schema.ts';
import type { Outcome } from '../hooks/outcome.ts';
import type { ConnectQuestion, DisconnectQuestion, SubscribeQuestion } from '../hooks/types.ts';
import type { PresenceReport } from '../presence/tracker.ts';
import type { PresenceChange, PresenceState } from '../presence/union.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { Stale } from '../protocol/messages.ts';
import type { Tags } from '../protocol/tags.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { PastLife, Since } from '../recent/lives.ts';
import type { CalledOutcome, HistoryAnswer, RecoveryAnswer } from './answers.ts';
import type { EndOrder, EndTarget, Revocation } from './orders.ts';
import type { LinkItem, PublicationMessage } from './publication-message.ts';
import type { PageQuestion, RangeQuestion } from './questions.ts';
import type { ConnectionsReport, TopicsWanted, WorkerReport, WorkerSummary } from './reports.ts';

/**
 * All messages between a hub and its workers. They know one another only through these messages. `data` is always one MessagePack value, transcoded or checked
 * once by the hub.
 */

/** A file that workers serve over plain HTTP beside the WebSocket endpoint: a demo page. */
export interface Page {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** What a worker needs to serve a topic that has just been opened or reset. */
export interface TopicState {
  readonly epoch: string;
  /** Earlier epochs whose positions are valid in this one too. */
  readonly before?: readonly PastLife[];
  /** The topic's offset at this message: the `prev` of the next publication. 0 for ephemeral topics. */
  readonly offset: number;
  /** `items` has the latest item of every key that changed after this offset. For a topic without keys: its `offset`. */
  readonly completeFrom: number;
  /** Latest item per key, oldest first; without keys the last item, or the whole document. */
  readonly items: readonly LinkItem[];
  /** The document is not known, so there is none until one is published as a whole. */
  readonly unavailable?: true;
  /** It has not been heard; absent: it has. */
  readonly stale?: Stale;
}

export type ToWorker =
  | {
      readonly kind: 'welcome';
      readonly config: Config;
      readonly nodeId: string;
      readonly workerIndex: number;
      /** The ids of its connections begin with it. No other worker has ever had the same. */
      readonly idPrefix: string;
      readonly port: number;
      readonly busConnected: boolean;
      readonly pages: readonly Page[];
      /** What the worker serves for its whole life; absent: no TLS. */
      readonly tls?: TlsMaterial;
      /** Of a demo: visitors of the chat page get tokens that are signed with it. Absent: nobody gets any. */
      readonly visitorSecret?: string;
    }
  /** Listen for clients, as soon as the worker is ready. */
  | { readonly kind: 'listen' }
  | ({
      readonly kind: 'opened';
      readonly topic: FeedName;
      readonly topicNumber: number;
      /** What came after the position that the worker opened the topic with, where that is little. Absent: nothing, or it is to be asked for. */
      readonly missed?: RecoveryAnswer;
    } & TopicState)
  | { readonly kind: 'openFailed'; readonly topic: FeedName; readonly code: ErrorCode; readonly message: string }
  | ({ readonly kind: 'resync'; readonly topic: FeedName; readonly topicNumber: number; readonly reason: string } & TopicState)
  | PublicationMessage
  | { readonly kind: 'published'; readonly requestId: number; readonly epoch: string; readonly offset: number; readonly duplicate: boolean }
  | ({ readonly kind: 'items'; readonly requestId: number } & HistoryAnswer)
  | ({ readonly kind: 'recovery'; readonly requestId: number } & RecoveryAnswer)
  | ({ readonly kind: 'place'; readonly requestId: number } & Since)
  | { readonly kind: 'result'; readonly requestId: number; readonly data: Uint8Array }
  /** A service refused a call, or a hook a publish, in its own words. */
  | { readonly kind: 'serviceError'; readonly requestId: number; readonly code: string; readonly message: string }
  | { readonly kind: 'hookAnswer'; readonly requestId: number; readonly outcome: Outcome }
  | { readonly kind: 'admitted'; readonly requestId: number; readonly admitted: boolean }
  /** Its user has too many. It is not counted any more. */
  | { readonly kind: 'endSurplus'; readonly connectionId: string }
  | { readonly kind: 'failed'; readonly requestId: number; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'busStatus'; readonly connected: boolean }
  /** Answers `presenceWatch`: changes come from now on. */
  | { readonly kind: 'presenceState'; readonly topic: Topic; readonly state: PresenceState }
  | { readonly kind: 'presenceChanges'; readonly changes: readonly PresenceChange[] }
  | { readonly kind: 'presenceAnswer'; readonly requestId: number; readonly state: PresenceState }
  /** An open topic is not live (with the reason, for clients), or is live again (null). */
  | { readonly kind: 'topicStatus'; readonly topic: FeedName; readonly awayReason: string | null }
  /** An open topic has not been heard of, or has again (null). */
  | { readonly kind: 'topicStale'; readonly topic: FeedName; readonly stale: Stale | null }
  /** Answered with `ended`. */
  | { readonly kind: 'endWanted'; readonly requestId: number; readonly order: EndOrder }
  /** Tokens that are revoked from now on. Answered with `ended`. */
  | { readonly kind: 'revoked'; readonly requestId: number; readonly revocations: readonly Revocation[] }
  /** All that are known; complete: all that there are. */
  | { readonly kind: 'revocations'; readonly revocations: readonly Revocation[]; readonly complete: boolean }
  | { readonly kind: 'metricsWanted'; readonly requestId: number }
  /** Request for a few counts: every node announces them every other second, busy or not. */
  | { readonly kind: 'summaryWanted'; readonly requestId: number }
  /** Request for a report, which includes these topics. */
  | { readonly kind: 'reportWanted'; readonly requestId: number; readonly topics?: TopicsWanted }
  /** Of a server, to every connection that is subscribed in the namespace. */
  | { readonly kind: 'sendToNamespace'; readonly namespace: string; readonly data: Uint8Array }
  /** Of a server, to one connection. Answered with `sent`. */
  | {
      readonly kind: 'sendToConnection';
      readonly requestId: number;
      readonly connectionId: string;
      readonly data: Uint8Array;
      readonly volatile: boolean;
    }
  /** Of a server. Answered with `called`. */
  | {
      readonly kind: 'callConnection';
      readonly requestId: number;
      readonly connectionId: string;
      readonly method: Topic;
      readonly data: Uint8Array;
      readonly timeoutMs: number;
    }
  /** Request for the connections that are meant: how many there are, and this number of them. */
  | { readonly kind: 'connectionsWanted'; readonly requestId: number; readonly target: EndTarget; readonly limit: number }
  | { readonly kind: 'drain' };

/** What a worker found when it started, for the log. */
export interface WorkerFacts {
  /** The package that uWebSockets.js was loaded from. */
  readonly uws: string;
  /** As configured, or what the descriptor limit allows. */
  readonly connectionsMax: number;
}

export type ToHub =
  /** The worker is ready for clients. */
  | { readonly kind: 'prepared' }
  | ({ readonly kind: 'listening'; readonly port: number } & WorkerFacts)
  | { readonly kind: 'startFailed'; readonly code: string; readonly message: string }
  /** With the position of the client that wants the topic, if it comes back to it: what it missed then comes with `opened`. */
  | { readonly kind: 'open'; readonly topic: FeedName; readonly since?: Since }
  | { readonly kind: 'close'; readonly topic: FeedName }
  | {
      readonly kind: 'publish';
      readonly requestId: number;
      readonly topic: Topic;
      readonly key: Key | null;
      readonly data: Uint8Array;
      /** The whole document, not a patch. */
      readonly image?: boolean;
      readonly idempotencyKey: string | undefined;
      readonly noEcho?: true | undefined;
      readonly volatile?: true | undefined;
      readonly tags?: Tags | undefined;
      readonly user: string;
      readonly connectionId: string;
      /** Of the token, for a hook. */
      readonly info?: unknown;
    }
  /** A client may publish no longer: its publishes that wait for a hook, or to be sanitized, are refused with this. */
  | { readonly kind: 'withdraw'; readonly connectionId: string; readonly code: ErrorCode; readonly message: string }
  | ({ readonly kind: 'read'; readonly requestId: number } & PageQuestion)
  /** The first page of the last publications. */
  | { readonly kind: 'readLast'; readonly requestId: number; readonly topic: FeedName; readonly count: number; readonly bytesMax: number }
  | ({ readonly kind: 'readBetween'; readonly requestId: number } & RangeQuestion)
  /** The position after which comes what was stored at that time or later. */
  | { readonly kind: 'placeOf'; readonly requestId: number; readonly topic: FeedName; readonly atMs: number }
  /** Everything after a position, for a client that reconnects with one; the topic must be open. */
  | { readonly kind: 'recover'; readonly requestId: number; readonly topic: FeedName; readonly after: number }
  | {
      readonly kind: 'call';
      readonly requestId: number;
      readonly method: string;
      readonly data: Uint8Array;
      readonly timeoutMs: number;
      readonly user: string;
      readonly connectionId: string;
    }
  /** Who came to topics with presence, or went, since the last report. */
  | { readonly kind: 'presenceReport'; readonly reports: readonly PresenceReport[] }
  | { readonly kind: 'presenceWatch'; readonly topic: Topic }
  | { readonly kind: 'presenceUnwatch'; readonly topic: Topic }
  | { readonly kind: 'presenceAsk'; readonly requestId: number; readonly topic: Topic }
  /** Asks the hooks on NATS of a topic's namespace, or of connections. */
  | { readonly kind: 'askHook'; readonly requestId: number; readonly question: ConnectQuestion | SubscribeQuestion }
  /** For the disconnect hook on NATS. */
  | { readonly kind: 'tellHook'; readonly question: DisconnectQuestion }
  /** A connection belongs to a user from now on. Answered where it waits to be admitted. */
  | ({ readonly kind: 'userConnected'; readonly requestId?: number } & UserConnection)
  | { readonly kind: 'userDisconnected'; readonly user: string; readonly connectionId: string }
  /** So many connections of this worker were meant. */
  | { readonly kind: 'ended'; readonly requestId: number; readonly connections: number }
  | { readonly kind: 'sent'; readonly requestId: number; readonly outcome: 'sent' | 'dropped' | 'noConnection' }
  | { readonly kind: 'called'; readonly requestId: number; readonly outcome: CalledOutcome }
  | { readonly kind: 'metrics'; readonly requestId: number; readonly metrics: unknown }
  | ({ readonly kind: 'summary'; readonly requestId: number } & WorkerSummary)
  | { readonly kind: 'report'; readonly requestId: number; readonly report: WorkerReport }
  | ({ readonly kind: 'connections'; readonly requestId: number } & ConnectionsReport)
  | { readonly kind: 'drained' };

export interface UserConnection {
  readonly user: string;
  readonly connectionId: string;
  /** How many the user may have, as the token says; else the config does. */
  readonly connectionsMax?: number;
  /** Wall clock time at which its worker let it in. */
  readonly sinceMs: number;
}
