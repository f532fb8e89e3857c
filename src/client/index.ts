/** `@stentor-broadcast/client`: the SDK, for browsers and Node. */
import { Client } from './client.ts';
import type { ClientOptions } from './options.ts';

export type { Position, PresenceMember, Stale } from '../protocol/messages.ts';
export type { IterationOptions } from './async-queue.ts';
export type { BackoffOptions } from './backoff.ts';
export { Client } from './client.ts';
export type { CallAnswer, CallOfServer, CallOptions, ClientEvents, ServerSent } from './client-types.ts';
export {
  BadValueError,
  BugError,
  CommandError,
  ConnectionLostError,
  DisconnectedError,
  DroppedError,
  InvalidError,
  OutcomeUnknownError,
  OverflowError,
  QueueFullError,
  StentorError,
  TimeoutError,
  UnauthorizedError,
} from './errors.ts';
export type { LatencySummary } from './histogram.ts';
export type { History, Item, Lagged, Resync, Subscribed } from './item.ts';
export type { ClientOptions, TokenSource, UrlSource } from './options.ts';
export type { ItemSource } from './position-tracker.ts';
export type { Presence, PresenceChange } from './presence-types.ts';
export type { PublishQueueOptions } from './publish-queue.ts';
export type { OutgoingPublication, PublishAck, PublishOptions } from './publisher.ts';
export type { ConnectionState, ConnectionStatus, Feed, Reason } from './state.ts';
export type { Stats } from './stats.ts';
export { Topic } from './topic.ts';
export { TopicList } from './topic-list.ts';
export type { HistoryOptions, Liveness, SubscribeOptions, TopicEvent, TopicOptions } from './topic-types.ts';
export type { UserTopic } from './user-topic.ts';
export type { WebSocketConstructor, WebSocketLike } from './websocket.ts';

/** Creates a client and connects it. @throws InvalidError */
export function createClient(options: ClientOptions): Client {
  const client = new Client(options);
  void client.connect();
  return client;
}
