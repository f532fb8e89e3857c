import type { Config } from '../config/schema.ts';
import type { HubClient } from '../delivery/hub-client.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Connection } from './connection.ts';

export interface UserConnectionsOptions {
  readonly config: Pick<Config, 'limits'>;
  readonly hub: Pick<HubClient, 'admit' | 'userConnected' | 'userDisconnected'>;
}

/** Tells the hub which users are connected, because the connections of a user are limited on all nodes. Closes those above the limit. */
export class UserConnections {
  readonly #waits: boolean;
  readonly #hub: UserConnectionsOptions['hub'];
  /** Connections that the hub was told of, by id. */
  readonly #told = new Map<string, Connection>();

  constructor({ config, hub }: UserConnectionsOptions) {
    this.#waits = config.limits.tooManyConnections === 'refuse';
    this.#hub = hub;
  }

  /** The connection belongs to the user of its identity from now on. @throws ProtocolError `too_many_connections` */
  async admit(connection: Connection): Promise<void> {
    const { id: connectionId, identity } = connection;
    const { user, connectionsMax } = identity;
    // The connection closed while its token was checked, so the hub would never be told of its end.
    if (user === null || !connection.isOpen || this.#told.has(connectionId)) return;
    this.#told.set(connectionId, connection);
    const question = { user, connectionId, ...(connectionsMax !== undefined && { connectionsMax }) };
    if (!this.#waits) return this.#hub.userConnected(question);
    const { admitted } = await this.#hub.admit(question);
    if (admitted) return;
    this.#told.delete(connectionId);
    throw new ProtocolError('too_many_connections', 'the user has as many connections as allowed');
  }

  closed({ id: connectionId, identity: { user } }: Connection): void {
    if (this.#told.delete(connectionId) && user !== null) this.#hub.userDisconnected({ user, connectionId });
  }

  /** The connection is above the limit: a newer one has taken its place, or it came too late. */
  endSurplus(connectionId: string): void {
    const connection = this.#told.get(connectionId);
    if (connection === undefined) return;
    // The hub no longer counts it.
    this.#told.delete(connectionId);
    if (this.#waits) connection.sendError(undefined, 'too_many_connections', 'the user has as many connections as allowed');
    connection.end('replaced');
  }
}
