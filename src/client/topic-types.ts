import type { Position, ServerMessage } from '../protocol/messages.ts';
import type { BackoffOptions } from './backoff.ts';
import type { StentorError } from './errors.ts';
import type { History, Item, Lagged, Resync, Subscribed } from './item.ts';
import type { PublishAck, PublishOptions } from './publisher.ts';
import type { AnswerTo, AskOptions, Request } from './requests.ts';
import type { Counters } from './stats.ts';

export interface TopicOptions<T = unknown> {
  /** Begin with the topic's state: the latest item of every key, or of the topic. */
  readonly snapshot?: boolean;
  /** At most so many batches a second, the latest item of each key; the server grants a class at or below. */
  readonly maxRateHz?: number;
  /** False: not what this connection itself publishes. */
  readonly echo?: boolean;
  /** Begin after this position, one that an earlier page or process kept. */
  readonly since?: Position;
  /** The stream starts over from the topic's state: forget what was made of the items before. Called before the state's items. */
  readonly onResync?: (resync: Resync<T>) => void;
  readonly onLagged?: (lagged: Lagged) => void;
  /** With every stream's start: the first, and each after a reconnect, when what was missed has been handed over. */
  readonly onSubscribed?: (subscribed: Subscribed) => void;
  /** The server does not permit the topic, or not any more: the subscription has ended. */
  readonly onError?: (error: StentorError) => void;
}

/** What a topic's iteration with {@link Topic.events} yields, in order. */
export type TopicEvent<T = unknown> =
  | { readonly kind: 'item'; readonly item: Item<T> }
  | { readonly kind: 'resync'; readonly resync: Resync<T> }
  | { readonly kind: 'lagged'; readonly lagged: Lagged };

/** What the client tells an active topic. */
export interface ActiveTopic {
  readonly name: string;
  /** There is a connection: ask for what comes, and for what was missed. */
  connected(): void;
  disconnected(): void;
  receive(message: ServerMessage<'batch'> | ServerMessage<'resync'> | ServerMessage<'lagged'>): void;
  /** The server has ended the subscription. */
  fail(error: StentorError): void;
  /** The client ends it. */
  close(): void;
}

/** What a topic needs of its client. */
export interface TopicHost {
  readonly isConnected: boolean;
  readonly counters: Counters;
  readonly holdItemsMax: number;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffOptions;
  ask<R extends Request>(request: R, options: AskOptions<AnswerTo<R>>): Promise<AnswerTo<R>>;
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<PublishAck>;
  history<T>(topic: string, options?: HistoryOptions): Promise<History<T>>;
  /** The topic becomes active. @throws InvalidError when another object's subscription to it is */
  activate(topic: ActiveTopic): void;
  deactivate(topic: ActiveTopic): void;
  /** Of a batch that has just come. */
  observeLatency(sentAtMs: number, items: number): void;
  /** Nobody has listened. */
  reportError(error: StentorError): void;
}

export interface HistoryOptions {
  /** What follows this position. */
  readonly since?: Position;
  /** The last so many instead. */
  readonly last?: number;
  readonly limit?: number;
  readonly signal?: AbortSignal;
}
