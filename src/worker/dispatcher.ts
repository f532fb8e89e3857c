import { namespaceOptions } from '../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import { encodeWithItems } from '../fanout/frame.ts';
import { FanoutItem } from '../fanout/item.ts';
import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { MessageError, parseClientMessage } from '../protocol/parse.ts';
import { type Key, namespaceOf, parseKey, parseTopic, type Topic } from '../protocol/topic.ts';
import { assertDepth } from './assert-depth.ts';
import type { Authenticator } from './authenticator.ts';
import type { Connection } from './connection.ts';
import { isErrorTooMany } from './error-budget.ts';
import type { HubClient } from './hub-client.ts';
import { permits } from './identity.ts';
import { takeToken } from './rate-limit.ts';
import type { Subscriber } from './subscriber.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface DispatcherOptions {
  readonly config: Config;
  readonly nodeId: string;
  readonly authenticator: Authenticator;
  readonly subscriber: Subscriber;
  readonly hub: HubClient;
  readonly metrics: WorkerMetrics;
  /** The connection's token has a new end. */
  readonly onIdentity: (connection: Connection) => void;
  /** Something that is neither the client's fault nor the bus's. */
  readonly onBug: (error: Error) => void;
}

const CALL_TIMEOUT_MS = 5000;
const HISTORY_ITEMS = 100;

/** Takes clients' messages and answers them. Every refusal is an `error` with the message's id; a connection that keeps making mistakes is closed. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #anonymousAllowed: boolean;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#anonymousAllowed = Object.values(options.config.namespaces).some((namespace) => namespace.public);
  }

  get anonymousAllowed(): boolean {
    return this.#anonymousAllowed;
  }

  /** @param bytes a copy: uWS takes its buffer back when the handler returns */
  async receive(connection: Connection, bytes: Uint8Array): Promise<void> {
    const { limits } = this.#options.config;
    if (bytes.length > limits.messageBytesMax) return connection.end('messageTooBig');
    const waitMs = takeToken(connection, limits.messagesPerSecondMax, Date.now());
    let message: ClientMessage;
    try {
      message = parseClientMessage(connection.codec, bytes);
    } catch (error) {
      if (error instanceof MessageError) return this.#refuse(connection, error.messageId, error.code, error.message);
      // Not even the encoding: what comes next cannot be trusted to begin where it should.
      this.#options.metrics.error('bad_message');
      return connection.end('malformedMessage');
    }
    this.#options.metrics.messageIn(message.type);
    const id = 'id' in message ? message.id : undefined;
    // Parsed before it is refused, so that the client learns which command it was.
    if (waitMs > 0) return this.#refuse(connection, id, 'rate_limited', `${limits.messagesPerSecondMax} messages a second`, waitMs);
    try {
      await this.#dispatch(connection, message);
    } catch (error) {
      this.#fail(connection, id, error as Error);
    }
  }

  async #dispatch(connection: Connection, message: ClientMessage): Promise<void> {
    if (message.type === 'connect') {
      if (connection.greeted) throw new ProtocolError('already_connected', 'connect comes first, and once');
      connection.greeted = true;
      return this.#inTurn(connection, () => this.#connect(connection, message));
    }
    if (message.type === 'ping') {
      return connection.send({ type: 'pong', serverTimeMs: Date.now(), ...(message.t !== undefined && { t: message.t }) });
    }
    if (connection.authenticating !== undefined) await connection.authenticating;
    if (connection.socket === undefined) return;
    if (!this.#isReady(connection)) {
      this.#refuse(connection, message.id, 'unauthorized', 'connect with a token first');
      return connection.end('unauthorized');
    }
    switch (message.type) {
      case 'subscribe':
        return this.#options.subscriber.subscribe(connection, message);
      case 'unsubscribe':
        return this.#options.subscriber.unsubscribe(connection, message);
      case 'publish':
        return this.#publish(connection, message);
      case 'history':
        return this.#history(connection, message);
      case 'call':
        return this.#call(connection, message);
      case 'refresh':
        return this.#refresh(connection, message);
      case 'presence':
        throw new ProtocolError('unsupported', 'this version does not keep presence');
    }
  }

  /** A command without a connect before it is an anonymous client's. */
  #isReady(connection: Connection): boolean {
    connection.greeted = true;
    connection.ready ||= this.#anonymousAllowed;
    return connection.ready;
  }

  /** Checks the token that came with the upgrade. What the client sends meanwhile waits for the outcome. */
  authenticate(connection: Connection, token: string): void {
    void this.#inTurn(connection, async () => {
      if (await this.#identify(connection, token, undefined)) this.#greet(connection);
    });
  }

  /** Runs a step of authentication after those before it; commands wait for all of them. */
  #inTurn(connection: Connection, step: () => Promise<void>): Promise<void> {
    const before = connection.authenticating ?? Promise.resolve();
    const done = before.then(step).finally(() => {
      if (connection.authenticating === done) connection.authenticating = undefined;
    });
    connection.authenticating = done;
    return done;
  }

  async #connect(connection: Connection, message: ClientMessage<'connect'>): Promise<void> {
    if (connection.socket === undefined) return;
    if (message.token !== undefined) {
      if (!(await this.#identify(connection, message.token, message.id))) return;
    } else if (!this.#isReady(connection)) {
      this.#refuse(connection, message.id, 'unauthorized', 'a token is needed');
      return connection.end('unauthorized');
    }
    connection.deflate = message.compression === 'deflate-raw' && connection.codec.encoding === 'msgpack';
    this.#greet(connection, message.id);
  }

  /** @returns true when the connection is now the token's user; else the client has been told why not, and closed */
  async #identify(connection: Connection, token: string, id: number | undefined): Promise<boolean> {
    try {
      connection.identity = await this.#options.authenticator.verify(token);
    } catch (error) {
      this.#fail(connection, id, error as Error);
      const refused = error instanceof ProtocolError && error.code !== 'unavailable';
      connection.end(refused ? 'unauthorized' : 'serverError');
      return false;
    }
    connection.ready = true;
    this.#options.onIdentity(connection);
    return true;
  }

  /** Sends `connected`: in answer to `connect`, or by itself when the token came with the upgrade. */
  #greet(connection: Connection, id?: number): void {
    const { config, nodeId } = this.#options;
    const { user, expiresAtMs } = connection.identity;
    connection.send({
      type: 'connected',
      connectionId: connection.id,
      user,
      nodeId,
      serverTimeMs: Date.now(),
      pingIntervalMs: config.heartbeat.pingIntervalMs,
      limits: {
        messageBytesMax: config.limits.messageBytesMax,
        topicsMax: config.limits.topicsPerConnectionMax,
        messagesPerSecondMax: config.limits.messagesPerSecondMax,
      },
      ...(id !== undefined && { id }),
      ...(expiresAtMs !== undefined && { expiresAtMs }),
    });
  }

  async #publish(connection: Connection, message: ClientMessage<'publish'>): Promise<void> {
    const topic = parseTopic(message.topic);
    const key = this.#assertMayPublish(connection, topic, message.key);
    const { limits } = this.#options.config;
    if (connection.publishesInFlight >= limits.publishesPerConnectionMax) {
      throw new ProtocolError('busy', `${limits.publishesPerConnectionMax} publishes of this connection wait for the log`);
    }
    connection.publishesInFlight++;
    try {
      const { epoch, offset, duplicate } = await this.#options.hub.publish({
        topic,
        key,
        data: packMsgpack(message.data),
        idempotencyKey: message.idempotencyKey,
        user: connection.identity.user ?? '',
        connectionId: connection.id,
      });
      if (message.id === undefined) return;
      const durable = this.#namespace(topic)?.durable === true;
      connection.send({ type: 'published', id: message.id, duplicate, ...(durable && { epoch, offset }) });
    } finally {
      connection.publishesInFlight--;
    }
  }

  #assertMayPublish(connection: Connection, topic: Topic, key: string | undefined): Key | null {
    const namespace = this.#namespace(topic);
    if (namespace === undefined) throw new ProtocolError('unknown_namespace', `no namespace is configured for ${topic}`);
    assertDepth(topic, namespace);
    if (!namespace.clientPublish) throw new ProtocolError('forbidden', `clients do not publish to ${topic}`);
    if (connection.identity.user === null) throw new ProtocolError('unauthorized', 'publishing needs a token');
    if (!permits(connection.identity.publish, topic))
      throw new ProtocolError('forbidden', `the token does not permit publishing to ${topic}`);
    if (namespace.keyed && key === undefined) throw new ProtocolError('key_required', `${topic} is keyed`);
    if (!namespace.keyed && key !== undefined) throw new ProtocolError('key_not_allowed', `${topic} is not keyed`);
    return key === undefined ? null : parseKey(key);
  }

  async #history(connection: Connection, message: ClientMessage<'history'>): Promise<void> {
    const topic = parseTopic(message.topic);
    const namespace = this.#namespace(topic);
    if (namespace === undefined) throw new ProtocolError('unknown_namespace', `no namespace is configured for ${topic}`);
    assertDepth(topic, namespace);
    if (!namespace.public && !permits(connection.identity.subscribe, topic)) {
      throw new ProtocolError(
        connection.identity.user === null ? 'unauthorized' : 'forbidden',
        `the token does not permit reading ${topic}`,
      );
    }
    if (!namespace.durable) throw new ProtocolError('unsupported', `${topic} has no history`);
    const limit = message.limit ?? HISTORY_ITEMS;
    const { epoch, offset, complete, more, items } =
      message.since === undefined
        ? await this.#options.hub.readLast({ topic, count: message.last ?? limit })
        : await this.#options.hub.read({ topic, epoch: message.since.epoch, after: message.since.offset, limit });
    const reply = { type: 'history', id: message.id, topic, epoch, offset, complete, more };
    const encoded = items.map((item) => new FanoutItem(item, 0));
    connection.sendEncoded(encodeWithItems(connection.codec.encoding, reply, encoded));
  }

  async #call(connection: Connection, message: ClientMessage<'call'>): Promise<void> {
    const method = parseTopic(message.method);
    const { identity } = connection;
    if (!permits(identity.call, method)) {
      throw new ProtocolError(identity.user === null ? 'unauthorized' : 'forbidden', `the token does not permit calling ${method}`);
    }
    const { data } = await this.#options.hub.call({
      method,
      data: packMsgpack(message.data ?? null),
      timeoutMs: message.timeoutMs ?? CALL_TIMEOUT_MS,
      user: identity.user ?? '',
    });
    connection.send({ type: 'result', id: message.id, data: unpackMsgpack(data) });
  }

  async #refresh(connection: Connection, message: ClientMessage<'refresh'>): Promise<void> {
    const identity = await this.#options.authenticator.verify(message.token);
    if (connection.identity.user !== null && identity.user !== connection.identity.user) {
      throw new ProtocolError('forbidden', 'a refreshed token must be of the same user');
    }
    connection.identity = identity;
    this.#options.onIdentity(connection);
    for (const topic of this.#options.subscriber.endForbidden(connection)) {
      const message = `the refreshed token does not permit ${topic}; the subscription has ended`;
      connection.send({ type: 'error', code: 'forbidden', message, retryable: false, topic });
    }
    const { expiresAtMs } = identity;
    connection.send({ type: 'refreshed', id: message.id, ...(expiresAtMs !== undefined && { expiresAtMs }) });
  }

  #namespace(topic: Topic): NamespaceOptions | undefined {
    return namespaceOptions(this.#options.config, namespaceOf(topic));
  }

  #fail(connection: Connection, id: number | undefined, error: Error): void {
    if (error instanceof ProtocolError) return this.#refuse(connection, id, error.code, error.message);
    this.#options.onBug(error);
    this.#refuse(connection, id, 'internal', 'something went wrong on the server');
  }

  #refuse(connection: Connection, id: number | undefined, code: ErrorCode, message: string, retryAfterMs?: number): void {
    this.#options.metrics.error(code);
    connection.sendError(id, code, message, retryAfterMs);
    if (isErrorTooMany(connection, code, this.#options.config.limits.errorsPerMinuteMax, Date.now())) connection.end('tooManyErrors');
  }
}
