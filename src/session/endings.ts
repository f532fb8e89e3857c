import type { Subscriptions } from '../delivery/subscriptions.ts';
import type { EndOrder, EndTarget, Revocation } from '../link/orders.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { addressOf, type FeedName, isPattern, topicOf } from '../protocol/feed-name.ts';
import { matchesPattern, type Topic } from '../protocol/topic.ts';
import type { PublishingClient } from './commands/publish.ts';
import type { Connection } from './connection.ts';
import type { Revoked } from './revoked.ts';

export interface EndingsOptions {
  readonly connections: Iterable<Connection>;
  readonly subscriptions: Pick<Subscriptions, 'end'>;
  readonly revoked: Revoked;
  /** Requests that publish without a connection. */
  readonly requests: Iterable<PublishingClient>;
  /** What the client has published, and is not stored yet, is refused with this. */
  readonly withdraw: (client: PublishingClient, code: ErrorCode, message: string) => void;
}

/** Ends connections and subscriptions on the order of an operator or a program. */
export class Endings {
  readonly #options: EndingsOptions;

  constructor(options: EndingsOptions) {
    this.#options = options;
  }

  /** @returns the number of connections that matched */
  carryOut(order: EndOrder): number {
    const matching = [...this.#options.connections].filter((connection) => isMeant(connection, order.target));
    if (order.action === 'disconnect') {
      for (const connection of matching) {
        this.#options.withdraw(connection, 'forbidden', 'the connection was ended by the operator before this was stored');
        connection.end(order.reconnect ? 'disconnectedForNow' : 'disconnected', order.reason);
      }
      return matching.length;
    }
    return matching.filter((connection) => this.#unsubscribe(connection, order.topic, order.reason)).length;
  }

  /** Ends all by which the connection gets the topic: it, its keys, and patterns. @returns false if there is nothing */
  #unsubscribe(connection: Connection, topic: Topic, message: string): boolean {
    const { receiver } = connection;
    const names = [...receiver.subscriptions.keys()].filter((name) => includesTopic(name, topic));
    for (const name of names) {
      this.#options.subscriptions.end(receiver, name);
      connection.send({ type: 'error', code: 'unsubscribed', message, retryable: false, ...addressOf(name) });
    }
    return names.length > 0;
  }

  /** @returns the number of connections with such tokens */
  revoke(revocations: readonly Revocation[]): number {
    const { connections, revoked, requests, withdraw } = this.#options;
    revoked.add(revocations);
    const areRevoked = ({ identity }: PublishingClient) => revoked.covers(identity);
    const bearers = [...connections].filter(areRevoked);
    for (const client of [...bearers, ...[...requests].filter(areRevoked)])
      withdraw(client, 'token_revoked', 'the token was revoked before this was stored');
    for (const connection of bearers) connection.end('tokenRevoked');
    return bearers.length;
  }
}

/** Whether who is subscribed to the name gets publications of the topic, all or some. */
function includesTopic(name: FeedName, topic: Topic): boolean {
  return isPattern(name) ? matchesPattern(name, topic) : topicOf(name) === topic;
}

/** True if an operator's order or query is about this connection. */
export function isMeant({ id, identity }: Connection, target: EndTarget): boolean {
  if ('connectionId' in target) return id === target.connectionId;
  return 'user' in target ? identity.user === target.user : identity.tokenId === target.tokenId;
}
