import type { Position, ServerMessage, Stale } from '../protocol/messages.ts';
import type { TagFilterOf } from '../protocol/tags.ts';
import type { StentorError } from './errors.ts';
import type { Item, Lagged, Resync, Subscribed } from './item.ts';
import type { Settings } from './options.ts';
import type { NewPresence, PresenceChange } from './presence-types.ts';
import type { AnswerTo, AskOptions, Request } from './requests.ts';
import type { Feed } from './state.ts';
import type { Counters } from './stats.ts';
import type { Subscription } from './subscription.ts';

/** The item with the document (or the value of its key) after it, made of the one with the document before. */
export type Fold = (before: Item | undefined, item: Item) => Item;

/** Puts a large batch together from its numbered parts. Undefined: it is not complete. */
export type Join = (part: ServerMessage<'part'>) => ServerMessage<'batch'> | undefined;

/** Options of a subscription. A connection has one subscription per topic, so all listeners of the topic must use the same options. */
export interface SubscribeOptions {
  /** Only this key of a keyed topic. A connection may have subscriptions to several keys, and to the whole topic. */
  readonly key?: string | undefined;
  /** Begin with the topic's state: the latest item of every key, or of the topic. A listener that joins later begins with it too. */
  readonly snapshot?: boolean | undefined;
  /** At most so many batches a second, with the latest item of each key. The server grants the highest rate class that is not above it. */
  readonly maxRateHz?: number | undefined;
  /** False: do not receive what this connection itself publishes. */
  readonly echo?: boolean | undefined;
  /** With the time at which the log stored each item: `item.publishedAtMs`. In durable topics. */
  readonly timestamps?: boolean | undefined;
  /** Be told who is subscribed, and who joins or leaves: from `presenceOptions` of `@stentor-broadcast/client/presence`. */
  readonly track?: NewPresence | undefined;
  /**
   * Of a document, only these members: JSON Pointers such as `/bids` and `/best/bid`, 32 at most. The maps on the way to them are always there. A patch that
   * changes none of them does not come.
   */
  readonly fields?: readonly string[] | undefined;
  /** Only publications with these tags: for each name (3 at most) this text, or one of these (20 at most). */
  readonly filter?: TagFilterOf | undefined;
  /** What makes a document, or a value, of patches: from `documentOptions` or `deltaOptions` of `@stentor-broadcast/client/document`. */
  readonly fold?: Fold | undefined;
  /** Makes what joins the parts of large documents: from the same. */
  readonly join?: (() => Join) | undefined;
  /** Begin after this position, which an earlier page or process kept. */
  readonly since?: Position | undefined;
  /** Begin with what was published at this time or later, by the log's clock, milliseconds since 1970. In durable topics. */
  readonly sinceMs?: number | undefined;
}

export interface TopicOptions<T = unknown> extends SubscribeOptions {
  /** The stream is reset to the topic's state: discard what was derived from earlier items. Called before the state's items. */
  readonly onResync?: ((resync: Resync<T>) => void) | undefined;
  readonly onLagged?: ((lagged: Lagged) => void) | undefined;
  /** Called at every start of a stream: the first, and each after a reconnect, when the state, or what was missed, has been delivered. */
  readonly onSubscribed?: ((subscribed: Subscribed) => void) | undefined;
  /** With `presenceOptions`: who is there, and again with every change. */
  readonly onPresence?: ((presence: PresenceChange) => void) | undefined;
  /** Whether new publications arrive: see {@link Liveness}. Called with every change. */
  readonly onLive?: ((liveness: Liveness) => void) | undefined;
  /**
   * The topic is stale: its producer has sent nothing for the time that the operator set, neither publications nor heartbeats, or the node has lost its broker;
   * undefined: it is not stale any more. Called with every change.
   */
  readonly onStale?: ((stale: Stale | undefined) => void) | undefined;
  /** The subscription has ended: not permitted, or no longer permitted; too many topics; or the client was refused permanently. */
  readonly onError?: ((error: StentorError) => void) | undefined;
}

/**
 * Whether new publications reach this client. They do not before the stream has begun, without a connection, and while the server has lost its broker or the
 * topic. The subscription stays meanwhile.
 */
export interface Liveness {
  readonly live: boolean;
  /** The server's reason, for people. */
  readonly reason: string | undefined;
}

/** What an iteration over {@link Topic.events} yields, in order. */
export type TopicEvent<T = unknown> =
  | { readonly kind: 'item'; readonly item: Item<T> }
  | { readonly kind: 'resync'; readonly resync: Resync<T> }
  | { readonly kind: 'lagged'; readonly lagged: Lagged };

/** What a subscription needs of its client. */
export interface SubscriptionHost {
  readonly connection: { readonly isConnected: boolean; readonly feed: Feed; readonly topicsMax: number };
  readonly settings: Pick<Settings, 'holdItemsMax' | 'stateKeysMax' | 'requestTimeoutMs' | 'backoff'>;
  readonly counters: Counters;
  ask<R extends Request>(request: R, options: AskOptions<AnswerTo<R>>): Promise<AnswerTo<R>>;
  deactivate(subscription: Subscription): void;
  /** Call with the times of a batch that has just arrived. */
  observeLatency(sentAtMs: number, items: number): void;
  /** For errors without a listener. */
  reportError(error: StentorError): void;
}

export interface HistoryOptions {
  /** Only this key of a keyed topic. */
  readonly key?: string | undefined;
  /** Everything after this position. */
  readonly since?: Position | undefined;
  /** The last publications instead. */
  readonly last?: number | undefined;
  /** What was published at this time or later instead, by the log's clock, milliseconds since 1970. */
  readonly fromMs?: number | undefined;
  /** With `fromMs` or `since`: only what was published before this time. */
  readonly toMs?: number | undefined;
  /** With `fromMs` or `toMs`: a replay, 0.1 to 10 times as fast as the items were stored. They go to `onItem`, when they are due. */
  readonly speed?: number | undefined;
  readonly onItem?: ((item: Item) => void) | undefined;
  readonly limit?: number | undefined;
  /** With `publishedAtMs` in every item. */
  readonly timestamps?: boolean | undefined;
  /** Of a document only these members: JSON Pointers. */
  readonly fields?: readonly string[] | undefined;
  /** Only publications with these tags. `limit` and `last` count the others, too. */
  readonly filter?: TagFilterOf | undefined;
  readonly signal?: AbortSignal | undefined;
}
