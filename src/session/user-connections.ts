import type { Config } from '../config/schema.ts';
import type { HubClient } from '../delivery/hub-client.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Connection } from './connection.ts';

export interface UserConnectionsOptions {
  readonly config: Pick<Config, 'limits'>;
  readonly hub: Pick<HubClient, 'admit' | 'userConnected' | 'userDisconnected'>;
  /** The open connection with this id. */
  readonly find: (connectionId: string) => Connection | undefined;
}

/** Tells the hub which users are connected, because the connections of a user are limited on all nodes. Closes those above the limit. */
export class UserConnections {
  readonly #waits: boolean;
  readonly #hub: UserConnectionsOptions['hub'];
  readonly #find: UserConnectionsOptions['find'];

  constructor({ config, hub, find }: UserConnectionsOptions) {
    this.#find = find;
    this.#waits = config.limits.tooManyConnections === 'refuse';
    this.#hub = hub;
  }

  /** The connection belongs to the user of its identity from now on. @throws ProtocolError `too_many_connections` */
  async admit(connection: Connection): Promise<void> {
    const { id: connectionId, identity } = connection;
    const { user, connectionsMax } = identity;
    // The connection closed while its token was checked, so the hub would never be told of its end.
    if (user === null || !connection.isOpen || connection.countedOfUser) return;
    connection.countedOfUser = true;
    const question = { user, connectionId, sinceMs: Date.now(), ...(connectionsMax !== undefined && { connectionsMax }) };
    if (!this.#waits) return this.#hub.userConnected(question);
    const { admitted } = await this.#hub.admit(question);
    if (admitted) return;
    connection.countedOfUser = false;
    throw new ProtocolError('too_many_connections', 'the user has as many connections as allowed');
  }

  closed(connection: Connection): void {
    const { id: connectionId, identity } = connection;
    const { user } = identity;
    if (connection.countedOfUser && user !== null) this.#hub.userDisconnected({ user, connectionId });
    connection.countedOfUser = false;
  }

  /** The connection is above the limit: a newer one has taken its place, or it came too late. */
  endSurplus(connectionId: string): void {
    const connection = this.#find(connectionId);
    if (connection?.countedOfUser !== true) return;
    // The hub no longer counts it.
    connection.countedOfUser = false;
    if (this.#waits) connection.sendError(undefined, 'too_many_connections', 'the user has as many connections as allowed');
    connection.end('replaced');
  }
}
