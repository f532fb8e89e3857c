import type { Config } from '../config/schema.ts';
import { HookDenied } from '../hooks/denied.ts';
import { ALLOWED, type Allowed } from '../hooks/outcome.ts';
import type { CloseReason } from '../protocol/close-codes.ts';
import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';
import type { Topic } from '../protocol/topic.ts';
import { USER_NAMESPACE, userTopicOf } from '../protocol/user-topic.ts';
import { mayBeAnonymous } from './access.ts';
import type { Authenticator } from './authenticator.ts';
import type { Connection } from './connection.ts';
import type { SessionHooks } from './hooks/session-hooks.ts';
import type { Identity } from './identity.ts';
import type { Asked } from './refusal-log.ts';
import type { Refuser } from './refuser.ts';
import type { Revoked } from './revoked.ts';
import type { UserConnections } from './user-connections.ts';

export interface AuthenticationOptions {
  readonly config: Config;
  readonly nodeId: string;
  readonly authenticator: Pick<Authenticator, 'verify'>;
  readonly refuser: Refuser;
  readonly users: Pick<UserConnections, 'admit'>;
  readonly revoked: Pick<Revoked, 'assertNot'>;
  /** Absent: there are none. */
  readonly hooks?: Pick<SessionHooks, 'asksAboutConnections' | 'assertMayConnect' | 'connected'> | undefined;
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

  /** A client without a token that the connect hook has to decide about first. */
  asksFirst({ ready }: Connection): boolean {
    return !ready && this.anonymousAllowed && this.#options.hooks?.asksAboutConnections === true;
  }

  /** @returns false: the connect hook does not allow it. The client has been told, and closed */
  async identifyAnonymous(connection: Connection, asked: Asked): Promise<boolean> {
    connection.connected = true;
    if (connection.ready) return true;
    const { hooks } = this.#options;
    try {
      const allowed = await hooks?.assertMayConnect(connection, connection.identity);
      if (allowed !== undefined) hooks?.connected(connection, allowed);
    } catch (error) {
      return this.#refuse(connection, asked, error as Error);
    }
    connection.ready = true;
    return connection.isOpen;
  }

  /** @returns true if the connection now belongs to the token's user; otherwise the client has been told why not, and closed */
  async identify(connection: Connection, token: string, asked: Asked): Promise<boolean> {
    let identity: Identity;
    let allowed: Allowed;
    try {
      identity = await this.verify(token);
      allowed = await this.assertMayConnect(connection, identity);
    } catch (error) {
      return this.#refuse(connection, asked, error as Error);
    }
    // A hook may have taken its time.
    if (!connection.isOpen) return false;
    if (!(await this.accept(connection, identity, asked, allowed))) return false;
    connection.ready = true;
    return true;
  }

  /** @throws ProtocolError `unauthorized`, `token_expired`, `token_revoked`, `unavailable` */
  async verify(token: string): Promise<Identity> {
    const { authenticator, revoked } = this.#options;
    const identity = await authenticator.verify(token);
    revoked.assertNot(identity);
    return identity;
  }

  /** Asks the connect hook. @throws HookDenied; ProtocolError `hook_failed`, `busy`, `token_revoked` */
  async assertMayConnect(client: Pick<Connection, 'id' | 'identity'>, identity: Identity): Promise<Allowed> {
    const allowed = await this.#options.hooks?.assertMayConnect(client, identity);
    // A revocation that came meanwhile did not find this client, which did not have the identity yet.
    this.assertNotRevoked(identity);
    return allowed ?? ALLOWED;
  }

  /** @throws ProtocolError `token_revoked` */
  assertNotRevoked(identity: Identity): void {
    this.#options.revoked.assertNot(identity);
  }

  /**
   * From now on the connection belongs to this user, with these permissions.
   * @param allowed what the connect hook said; undefined: it was not asked
   * @returns false: the user has too many connections. The client has been told, and closed
   */
  async accept(connection: Connection, identity: Identity, asked: Asked, allowed?: Allowed): Promise<boolean> {
    connection.identity = identity;
    if (allowed !== undefined) this.#options.hooks?.connected(connection, allowed);
    this.#options.onIdentity(connection);
    try {
      await this.#options.users.admit(connection);
      return true;
    } catch (error) {
      return this.#refuse(connection, asked, error as Error);
    }
  }

  /** The connect hook does not allow the connection any more. */
  endDenied(connection: Connection, error: Error): void {
    this.#refuse(connection, {}, error);
  }

  #refuse(connection: Connection, asked: Asked, error: Error): false {
    this.#options.refuser.fail(connection, asked, error);
    connection.end(endReasonOf(error));
    return false;
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
    const userTopic = user === null ? undefined : ownTopic(config.namespaces, user);
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
        ...(connection.receiver.positions !== undefined && { topicsPerStreamMax: tuning.http.topicsPerStreamMax }),
      },
      ...(id !== undefined && { id }),
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      ...(userTopic !== undefined && { userTopic }),
    });
  }
}

const PASSING: ReadonlySet<string> = new Set(['unavailable', 'busy', 'hook_failed'] satisfies ErrorCode[]);

/** How a connection ends whose token, or whose user, is not accepted. */
function endReasonOf(error: unknown): CloseReason {
  if (error instanceof HookDenied) return 'unauthorized';
  if (!(error instanceof ProtocolError) || PASSING.has(error.code)) return 'serverError';
  if (error.code === 'token_revoked') return 'tokenRevoked';
  return error.code === 'too_many_connections' ? 'replaced' : 'unauthorized';
}

function ownTopic(namespaces: Config['namespaces'], user: string): Topic | undefined {
  return Object.hasOwn(namespaces, USER_NAMESPACE) ? userTopicOf(user) : undefined;
}
