import type { Subscriptions } from '../delivery/subscriptions.ts';
import type { EndOrder, EndTarget, Revocation } from '../link/messages.ts';
import { addressOf } from '../protocol/feed-name.ts';
import type { Connection } from './connection.ts';
import type { Revoked } from './revoked.ts';

export interface EndingsOptions {
  readonly connections: Iterable<Connection>;
  readonly subscriptions: Pick<Subscriptions, 'end'>;
  readonly revoked: Revoked;
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
      for (const connection of matching) connection.end(order.reconnect ? 'disconnectedForNow' : 'disconnected', order.reason);
      return matching.length;
    }
    const { topic, reason } = order;
    const subscribed = matching.filter((connection) => this.#options.subscriptions.end(connection.receiver, topic));
    for (const connection of subscribed)
      connection.send({ type: 'error', code: 'unsubscribed', message: reason, retryable: false, ...addressOf(topic) });
    return subscribed.length;
  }

  /** @returns the number of connections with such tokens */
  revoke(revocations: readonly Revocation[]): number {
    const { connections, revoked } = this.#options;
    revoked.add(revocations);
    const bearers = [...connections].filter(({ identity }) => revoked.covers(identity));
    for (const connection of bearers) connection.end('tokenRevoked');
    return bearers.length;
  }
}

/** True if an operator's order or query is about this connection. */
export function isMeant({ id, identity }: Connection, target: EndTarget): boolean {
  if ('connectionId' in target) return id === target.connectionId;
  return 'user' in target ? identity.user === target.user : identity.tokenId === target.tokenId;
}
