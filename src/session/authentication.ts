import type { Config } from '../config/schema.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { mayBeAnonymous } from './access.ts';
import type { Authenticator } from './authenticator.ts';
import type { Connection } from './connection.ts';
import type { Identity } from './identity.ts';
import type { Asked } from './refusal-log.ts';
import type { Refuser } from './refuser.ts';

export interface AuthenticationOptions {
  readonly config: Config;
  readonly nodeId: string;
  readonly authenticator: Pick<Authenticator, 'verify'>;
  readonly refuser: Refuser;
  /** The expiry of the connection's token has changed. */
  readonly onIdentity: (connection: Connection) => void;
}

/** Authenticates a connection: by the token of the upgrade or of `connect`, or as an anonymous client. */
export class Authentication {
  readonly #options: AuthenticationOptions;
  readonly anonymousAllowed: boolean;

  constructor(options: AuthenticationOptions) {
    this.#options = options;
    this.anonymousAllowed = mayBeAnonymous(options.config.namespaces);
  }

  /** Verifies the token of the upgrade request. What the client sends meanwhile waits for the result. */
  checkUpgrade(connection: Connection, token: string): void {
    void this.inTurn(connection, async () => {
      if (await this.identify(connection, token, { type: 'upgrade' })) this.sendConnected(connection);
    });
  }

  /** Runs a step of authentication after those before it; commands wait for all of them. */
  inTurn(connection: Connection, step: () => Promise<void>): Promise<void> {
    const before = connection.authenticating ?? Promise.resolve();
    const done = before.then(step).finally(() => {
      if (connection.authenticating === done) connection.authenticating = undefined;
    });
    connection.authenticating = done;
    return done;
  }

  /** Whether it may send commands. A command without a `connect` before it makes the client anonymous. */
  isReady(connection: Connection): boolean {
    connection.connected = true;
    connection.ready ||= this.anonymousAllowed;
    return connection.ready;
  }

  /** @returns true if the connection now belongs to the token's user; otherwise the client has been told why not, and closed */
  async identify(connection: Connection, token: string, asked: Asked): Promise<boolean> {
    let identity: Identity;
    try {
      identity = await this.verify(token);
    } catch (error) {
      this.#options.refuser.fail(connection, asked, error as Error);
      const refused = error instanceof ProtocolError && error.code !== 'unavailable';
      connection.end(refused ? 'unauthorized' : 'serverError');
      return false;
    }
    connection.ready = true;
    this.became(connection, identity);
    return true;
  }

  /** @throws ProtocolError `unauthorized`, `token_expired`, `unavailable` */
  verify(token: string): Promise<Identity> {
    return this.#options.authenticator.verify(token);
  }

  /** From now on the connection belongs to this user, with these permissions. */
  became(connection: Connection, identity: Identity): void {
    connection.identity = identity;
    this.#options.onIdentity(connection);
  }

  /** Closes the connection because it has no valid token. */
  refuseAnonymous(connection: Connection, asked: Asked, message: string): void {
    this.#options.refuser.refuse(connection, asked, 'unauthorized', message);
    connection.end('unauthorized');
  }

  /** In answer to `connect`, or unrequested if the token came with the upgrade. */
  sendConnected(connection: Connection, id?: number): void {
    const { config, nodeId } = this.#options;
    const { limits, heartbeat, tuning } = config;
    const { user, expiresAtMs } = connection.identity;
    connection.send({
      type: 'connected',
      connectionId: connection.id,
      user,
      nodeId,
      serverTimeMs: Date.now(),
      pingIntervalMs: heartbeat.pingIntervalMs,
      limits: {
        messageBytesMax: limits.messageBytesMax,
        topicsMax: limits.topicsPerConnectionMax,
        messagesPerSecondMax: limits.messagesPerSecondMax,
        bytesPerSecondMax: limits.bytesPerSecondMax,
        commandsPerSecondMax: tuning.commands.commandsPerSecondMax,
        commandsMax: tuning.commands.commandsPerMessageMax,
      },
      ...(id !== undefined && { id }),
      ...(expiresAtMs !== undefined && { expiresAtMs }),
    });
  }
}
