import type { Config } from '../config/schema.ts';
import type { Delivery } from '../delivery/delivery.ts';
import { ownerOf } from '../delivery/shares.ts';
import type { ToWorker } from '../link/messages.ts';
import type { Encoding } from '../protocol/codec.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { AlignedInterval } from '../telemetry/aligned-interval.ts';
import type { Logger } from '../telemetry/log.ts';
import type { ClientEvents, ClientRequest, ClientSocket, RequestOutcome, RequestRefusal, RequestRefused } from '../transport/transport.ts';
import { Authentication } from './authentication.ts';
import type { Authenticator } from './authenticator.ts';
import type { PublishingClient } from './commands/publish.ts';
import { ConnectLimits } from './connect-limits.ts';
import { Connection } from './connection.ts';
import { Dispatcher } from './dispatcher.ts';
import { Endings } from './endings.ts';
import { ExpiryIndex } from './expiry.ts';
import { FromServers } from './from-servers.ts';
import { Heartbeat } from './heartbeat.ts';
import type { SessionHooks, SessionHooksOptions } from './hooks/session-hooks.ts';
import { InFlight } from './in-flight.ts';
import { InboundLimits } from './inbound-limits.ts';
import { Intake } from './intake.ts';
import type { SessionMetrics } from './metrics.ts';
import { ReadTurns } from './read-turns.ts';
import { RefusalLog } from './refusal-log.ts';
import { Refuser } from './refuser.ts';
import { Replays } from './replays.ts';
import { Requests } from './requests/requests.ts';
import { Revoked } from './revoked.ts';
import { type Stream, streamOf } from './stream-request.ts';
import { UserConnections } from './user-connections.ts';

/** What the hub says about connections and tokens. */
export type ConnectionsMessage = Extract<ToWorker, { kind: 'endWanted' | 'revoked' | 'revocations' | 'endSurplus' }>;

export interface ConnectionsOptions {
  readonly config: Config;
  readonly nodeId: string;
  /** Prefix of its connection ids. No other worker has ever had the same. */
  readonly idPrefix: string;
  readonly connectionsMax: number;
  readonly delivery: Delivery;
  readonly authenticator: Pick<Authenticator, 'verify' | 'flawOf'>;
  /** Absent: there are none. */
  readonly hooks?: (ends: Pick<SessionHooksOptions, 'end' | 'endConnection'>) => SessionHooks | undefined;
  readonly metrics: SessionMetrics;
  readonly logger: Logger;
  /** Why no clients are accepted now; undefined: they are accepted. */
  readonly whyUnavailable: () => string | undefined;
  /** A connection has been opened. */
  readonly onOpened: (connection: Connection) => void;
  readonly onBug: (error: Error) => void;
}

/** What the transport knows of a new client. */
type Accepted = { readonly socket: ClientSocket; readonly address: string; readonly encoding: Encoding };

/** Time of a loop turn for messages of clients, short enough that members do not notice. A full array of commands takes 5 to 15 ms, in several turns. */
const READ_TURN_MS = 4;

/** For a stream without a token. */
const CONNECT = Buffer.from('{"type":"connect","id":0}');

/** The clients of a worker, from the opening to the close of their connections. */
export class Connections implements ClientEvents<Connection, Stream> {
  /** What servers send to single connections, and ask of them. */
  readonly fromServers: FromServers;
  readonly #options: ConnectionsOptions;
  readonly #byId = new Map<string, Connection>();
  readonly #connects: ConnectLimits;
  readonly #hooks: SessionHooks | undefined;
  readonly #users: UserConnections;
  readonly #revoked: Revoked;
  readonly #endings: Endings;
  readonly #authentication: Authentication;
  readonly #inFlight: InFlight;
  readonly #turns: ReadTurns<Connection>;
  readonly #intake: Intake;
  readonly #requests: Requests;
  readonly #dispatcher: Dispatcher;
  readonly #heartbeat: Heartbeat<Connection>;
  readonly #log: RefusalLog;
  /** When tokens expire, and until when `connect` must have been received. */
  readonly #expiry = new ExpiryIndex<Connection>(Date.now());
  readonly #heartbeats: AlignedInterval;
  #nextId = 1;

  constructor(options: ConnectionsOptions) {
    const { config, nodeId, delivery, authenticator, metrics, logger, onBug } = options;
    const { heartbeat, tuning } = config;
    const limits = { ...config.limits, ...tuning.commands };
    this.#options = options;
    const { workers } = config;
    this.#connects = new ConnectLimits({ limits, addressesMax: tuning.connections.addressesMax, workers, metrics });
    this.#log = new RefusalLog(logger);
    const refuser = new Refuser({ errorsPerMinuteMax: limits.errorsPerMinuteMax, metrics, log: this.#log, onBug });
    const onIdentity = (connection: Connection) => this.#identified(connection);
    this.#users = new UserConnections({ config, hub: delivery.hub, find: (connectionId) => this.#byId.get(connectionId) });
    this.#revoked = new Revoked(config);
    this.#hooks = options.hooks?.({
      end: (connection, topic) => delivery.subscriptions.end(connection.receiver, topic),
      endConnection: (connection, error) => {
        this.#withdraw(connection, 'forbidden', 'the connection was ended by the connect hook before this was stored');
        this.#authentication.endDenied(connection, error);
      },
    });
    const [users, revoked] = [this.#users, this.#revoked];
    this.#authentication = new Authentication({ config, nodeId, authenticator, refuser, users, revoked, hooks: this.#hooks, onIdentity });
    this.#inFlight = new InFlight(tuning.commands, config.workers);
    const find = (connectionId: string) => this.#byId.get(connectionId);
    this.fromServers = new FromServers({ find, callsPerConnectionMax: tuning.sending.callsPerConnectionMax });
    const context = {
      config,
      delivery,
      authentication: this.#authentication,
      hooks: this.#hooks,
      fromServers: this.fromServers,
      replays: new Replays(config),
    };
    this.#requests = new Requests({ context, idPrefix: options.idPrefix, metrics, log: this.#log, onBug });
    this.#endings = new Endings({
      connections: this,
      subscriptions: delivery.subscriptions,
      revoked: this.#revoked,
      requests: this.#requests,
      withdraw: (client, code, message) => this.#withdraw(client, code, message),
    });
    const failed = (connection: Connection, error: Error) => {
      logger.error({ err: error }, 'a message could not be handled');
      connection.end('serverError');
    };
    this.#dispatcher = new Dispatcher({ limits, context, inFlight: this.#inFlight, refuser, metrics, failed });
    this.#turns = new ReadTurns({
      turnMs: READ_TURN_MS,
      unreadBytesPerConnectionMax: limits.unreadBytesPerConnectionMax,
      inFlight: this.#inFlight,
      read: (connection, message) => this.#dispatcher.receive(connection, message),
      failed,
    });
    this.#heartbeat = new Heartbeat(heartbeat.pingIntervalMs, tuning.connections.pongTimeoutMs, {
      ping: ({ receiver }) => receiver.socket.ping(),
      lost: ({ receiver }) => receiver.socket.cut(),
    });
    this.#heartbeats = new AlignedInterval(heartbeat.pingIntervalMs / Heartbeat.ticksPerInterval, () => this.#heartbeat.tick());
    this.#intake = new Intake({ limits: new InboundLimits(limits), heartbeat: this.#heartbeat, turns: this.#turns, metrics });
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Bytes of unanswered commands, and of messages that have not been read yet. */
  get bytes(): { readonly inFlight: number; readonly unread: number } {
    return { inFlight: this.#inFlight.bytes, unread: this.#turns.bytes };
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#byId.values();
  }

  find(connectionId: string): Connection | undefined {
    return this.#byId.get(connectionId);
  }

  whyUnavailable(): string | undefined {
    const { connectionsMax, whyUnavailable } = this.#options;
    return whyUnavailable() ?? (this.size >= connectionsMax ? `${connectionsMax} connections are open` : undefined);
  }

  flawOf(token: string): string | undefined {
    return this.#options.authenticator.flawOf(token);
  }

  takeConnect(address: string): RequestRefused | undefined {
    return this.#connects.take(address, performance.now());
  }

  refused(refusal: RequestRefusal): void {
    this.#log.request(refusal);
  }

  request(request: ClientRequest): Promise<RequestOutcome> {
    return this.#requests.request(request);
  }

  accept({ socket, address, encoding }: Accepted, stream?: Stream): Connection {
    const { delivery, idPrefix } = this.#options;
    const receiver = delivery.receiver(`${idPrefix}${this.#nextId++}`, encoding, socket, stream?.positions);
    receiver.owner = ownerOf(null, address);
    return new Connection(receiver, this.#connects.opened(address));
  }

  opened(connection: Connection, token: string | undefined): void {
    const { config, metrics, onOpened } = this.#options;
    this.#byId.set(connection.id, connection);
    this.#heartbeat.add(connection);
    metrics.opened();
    onOpened(connection);
    if (token !== undefined) this.#authentication.checkUpgrade(connection, token);
    else if (!this.#authentication.anonymousAllowed) this.#expiry.set(connection, Date.now() + config.tuning.connections.connectTimeoutMs);
  }

  streamOf(query: string, lastEventId: string): ReturnType<ClientEvents<Connection, Stream>['streamOf']> {
    return streamOf(query, lastEventId, this.#options.config.tuning.http.topicsPerStreamMax);
  }

  openedStream(connection: Connection, token: string | undefined, { commands }: Stream): void {
    this.opened(connection, token);
    // With a token the answer to it comes by itself.
    const connect = token === undefined ? [CONNECT] : [];
    const all = [...connect, ...commands];
    connection.receiver.expectAnswers(all.length);
    for (const bytes of all) this.#turns.take(connection, { bytes, bytesWaitMs: 0, atMs: Date.now(), ofStream: true });
  }

  message(connection: Connection, message: ArrayBuffer, isBinary: boolean): void {
    this.#intake.message(connection, message, isBinary);
  }

  controlFrame(connection: Connection, payloadBytes: number): void {
    this.#intake.controlFrame(connection, payloadBytes);
  }

  dropped({ receiver }: Connection): void {
    this.#options.delivery.dropped(receiver);
  }

  drained(connection: Connection): void {
    // The peer reads what it is sent, so it is alive, even if its pong waits behind data that it has not read yet.
    this.#heartbeat.heard(connection);
    this.#options.delivery.drained(connection.receiver);
  }

  closed(connection: Connection, code: number, reason: ArrayBuffer): void {
    const { delivery, metrics } = this.#options;
    this.#log.closed(connection, code, reason);
    this.#turns.forget(connection);
    this.#byId.delete(connection.id);
    this.#heartbeat.remove(connection);
    this.#expiry.remove(connection);
    this.fromServers.closed(connection);
    delivery.closed(connection.receiver);
    this.#users.closed(connection);
    this.#connects.closed(connection.address);
    this.#hooks?.closed(connection, code);
    metrics.closed(code);
  }

  /** What the hub says about connections and tokens. @returns how many connections it was for, where the hub asks */
  receive(message: ConnectionsMessage): number | undefined {
    switch (message.kind) {
      case 'endWanted':
        return this.#endings.carryOut(message.order);
      case 'revoked':
        return this.#endings.revoke(message.revocations);
      case 'revocations':
        return void this.#revoked.replace(message.revocations, message.complete);
      case 'endSurplus':
        return void this.#users.endSurplus(message.connectionId);
    }
  }

  /** Called about once a second. */
  everySecond(nowMs: number): void {
    this.#hooks?.everySecond();
    this.#requests.forgetOld(nowMs);
    this.#connects.forgetFull(performance.now());
    for (const connection of this.#expiry.takeExpired(nowMs)) {
      if (connection.identity.expiresAtMs !== undefined) connection.end('tokenExpired');
      else if (!connection.connected) connection.end('unauthorized');
    }
  }

  stop(): void {
    this.#heartbeats.stop();
  }

  /** Nothing is stored any more of what the client has published, and waits for a hook or to be sanitized. */
  #withdraw({ id, publishesInFlight }: PublishingClient, code: ErrorCode, message: string): void {
    if (publishesInFlight === 0) return;
    this.#hooks?.withdraw(id, code, message);
    this.#options.delivery.hub.withdraw({ connectionId: id, code, message });
  }

  #identified(connection: Connection): void {
    const { expiresAtMs, user } = connection.identity;
    if (user !== null) connection.receiver.owner = ownerOf(user, '');
    if (expiresAtMs !== undefined && connection.isOpen) this.#expiry.set(connection, expiresAtMs);
  }
}
