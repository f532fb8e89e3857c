import type { Position } from '../protocol/messages.ts';
import type { BackoffOptions } from './backoff.ts';
import type { StentorError } from './errors.ts';
import type { History, Item, Lagged, Resync, Subscribed } from './item.ts';
import type { PublishAck, PublishOptions } from './publisher.ts';
import type { AnswerTo, AskOptions, Request } from './requests.ts';
import type { Feed } from './state.ts';
import type { Counters } from './stats.ts';
import type { Subscription } from './subscription.ts';

/** What a subscription asks the server for. A connection has one subscription to a topic, so whoever listens to the topic asks for the same. */
export interface SubscribeOptions {
  /** Begin with the topic's state: the latest item of every key, or of the topic. A listener that comes late begins with it too. */
  readonly snapshot?: boolean | undefined;
  /** At most so many batches a second, the latest item of each key; the server grants a class at or below. */
  readonly maxRateHz?: number | undefined;
  /** False: not what this connection itself publishes. */
  readonly echo?: boolean | undefined;
  /** Begin after this position, one that an earlier page or process kept. */
  readonly since?: Position | undefined;
}

export interface TopicOptions<T = unknown> extends SubscribeOptions {
  /** The stream starts over from the topic's state: forget what was made of the items before. Called before the state's items. */
  readonly onResync?: ((resync: Resync<T>) => void) | undefined;
  readonly onLagged?: ((lagged: Lagged) => void) | undefined;
  /** With every stream's start: the first, and each after a reconnect, when the state, or what was missed, has been handed over. */
  readonly onSubscribed?: ((subscribed: Subscribed) => void) | undefined;
  /** Items come now, or they do not: see {@link Liveness}. Called with every change. */
  readonly onLive?: ((liveness: Liveness) => void) | undefined;
  /** The subscription has ended: not permitted, or not any more; too many topics; or the client was refused for good. */
  readonly onError?: ((error: StentorError) => void) | undefined;
}

/**
 * Does what is published now reach this client? Not before the stream has begun, not without a connection, and not while the server has lost its broker or the
 * topic. The subscription stays meanwhile.
 */
export interface Liveness {
  readonly live: boolean;
  /** What the server said of it. For people. */
  readonly reason: string | undefined;
}

/** What a topic's iteration with {@link Topic.events} yields, in order. */
export type TopicEvent<T = unknown> =
  | { readonly kind: 'item'; readonly item: Item<T> }
  | { readonly kind: 'resync'; readonly resync: Resync<T> }
  | { readonly kind: 'lagged'; readonly lagged: Lagged };

/** What a subscription and its topics need of their client. */
export interface TopicHost {
  readonly isConnected: boolean;
  readonly feed: Feed;
  readonly topicsMax: number;
  readonly counters: Counters;
  readonly holdItemsMax: number;
  readonly stateKeysMax: number;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffOptions;
  ask<R extends Request>(request: R, options: AskOptions<AnswerTo<R>>): Promise<AnswerTo<R>>;
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<PublishAck>;
  history<T>(topic: string, options?: HistoryOptions): Promise<History<T>>;
  /** @param options undefined: whatever it is subscribed with. @throws InvalidError when it is subscribed to with other options */
  join(name: string, options: SubscribeOptions | undefined): Subscription;
  deactivate(subscription: Subscription): void;
  /** Of a batch that has just come. */
  observeLatency(sentAtMs: number, items: number): void;
  /** Nobody has listened. */
  reportError(error: StentorError): void;
}

export interface HistoryOptions {
  /** What follows this position. */
  readonly since?: Position | undefined;
  /** The last so many instead. */
  readonly last?: number | undefined;
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
