import type { Config } from '../config/schema.ts';
import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { CommandArray, MessageError, type ParsedCommand, parseClientFrame } from '../protocol/parse.ts';
import type { WorkerMetrics } from '../worker/worker-metrics.ts';
import { assertAllowed, decideRefresh, mayBeAnonymous } from './access.ts';
import type { AnswerOutbox } from './answer-outbox.ts';
import type { Authenticator } from './authenticator.ts';
import type { Calls } from './calls.ts';
import type { Connection } from './connection.ts';
import { isErrorTooMany } from './error-budget.ts';
import type { HistoryReader } from './history-reader.ts';
import type { InFlight } from './in-flight.ts';
import type { Publishes } from './publishes.ts';
import { oweToken, takeToken } from './rate-limit.ts';
import type { InboundMessage } from './read-turns.ts';
import { type Asked, askedBy, type RefusalLog } from './refusal-log.ts';
import type { Subscriber } from './subscriber.ts';

export interface DispatcherOptions {
  readonly config: Config;
  readonly nodeId: string;
  readonly authenticator: Authenticator;
  readonly subscriber: Subscriber;
  readonly calls: Calls;
  readonly publishes: Publishes;
  readonly inFlight: InFlight;
  readonly outbox: AnswerOutbox;
  readonly histories: HistoryReader;
  readonly metrics: WorkerMetrics;
  readonly refusals: RefusalLog;
  /** The connection's token has a new end. */
  readonly onIdentity: (connection: Connection) => void;
  /** Something that is neither the client's fault nor the bus's. */
  readonly onBug: (error: Error) => void;
}

/** The message that an array of commands came in. */
interface WholeArray {
  readonly bytes: Uint8Array;
  readonly atMs: number;
  /** It came too fast, or with too many bytes: each of its commands is refused; 0: it did not. */
  readonly waitMs: number;
}

type Command = Exclude<ClientMessage, { type: 'ping' }>;

/** Takes clients' messages and answers them. Every refusal is an `error` with the message's id; a connection that keeps making mistakes is closed. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #anonymousAllowed: boolean;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#anonymousAllowed = mayBeAnonymous(options.config.namespaces);
  }

  get anonymousAllowed(): boolean {
    return this.#anonymousAllowed;
  }

  /**
   * Resolves when the message has been answered. Never waits itself, so it keeps nothing of the message meanwhile.
   *
   * Limits go by when it came: it may be read later.
   */
  async receive(connection: Connection, { bytes, bytesWaitMs, atMs }: InboundMessage): Promise<unknown> {
    const { limits } = this.#options.config;
    if (bytes.length > limits.messageBytesMax) return connection.end('messageTooBig');
    const waitMs = takeToken(connection, limits.messagesPerSecondMax, atMs);
    const message = this.#parse(connection, bytes);
    if (message === undefined) return;
    if (message instanceof CommandArray) return this.#receiveMany(connection, message, { bytes, atMs, waitMs: bytesWaitMs || waitMs });
    this.#options.metrics.messageIn(message.type);
    const asked = askedBy(message);
    // Parsed before it is refused, so that the client learns which command it was.
    if (bytesWaitMs > 0) return this.#refuse(connection, asked, 'rate_limited', `${limits.bytesPerSecondMax} bytes a second`, bytesWaitMs);
    if (waitMs > 0) return this.#refuse(connection, asked, 'rate_limited', `${limits.messagesPerSecondMax} messages a second`, waitMs);
    if (message.type === 'ping') return this.#pong(connection, message);
    const busy = this.#options.inFlight.take(connection, bytes.length);
    if (busy !== undefined) return this.#refuse(connection, asked, 'busy', busy);
    return this.#answer(connection, asked, bytes.length, this.#start(connection, message, bytes));
  }

  /**
   * An array of commands: each is taken, or refused, and answered as if it had come by itself; what is answered in one loop turn leaves in one write.
   * Not async: the commands themselves must not be kept until all are answered.
   */
  #receiveMany(connection: Connection, commands: CommandArray, whole: WholeArray): Promise<unknown> {
    connection.expectAnswers(commands.length, this.#options.outbox);
    const answers: Promise<void>[] = [];
    for (let index = 0; index < commands.length && connection.socket !== undefined; index++) {
      const command = commands.at(index);
      const isConnect = !(command instanceof MessageError) && command.type === 'connect';
      if (connection.authenticating !== undefined && !isConnect) {
        answers.push(this.#receiveRest(connection, whole, index));
        break;
      }
      // What is kept of a command until it is answered is its part of the message.
      answers.push(this.#receiveOne(connection, command, whole, Math.ceil(whole.bytes.length / commands.length)));
    }
    return Promise.all(answers);
  }

  /** Those from `index` on wait for the token's outcome, as one command; then the message is read again. */
  async #receiveRest(connection: Connection, whole: WholeArray, index: number): Promise<void> {
    const { inFlight } = this.#options;
    const { bytes } = whole;
    const busy = inFlight.take(connection, bytes.length);
    if (busy === undefined) await connection.authenticating?.finally(() => inFlight.release(connection, bytes.length));
    const commands = this.#parse(connection, bytes);
    if (!(commands instanceof CommandArray)) return;
    const share = Math.ceil(bytes.length / commands.length);
    const answers: Promise<void>[] = [];
    for (let at = index; at < commands.length && connection.socket !== undefined; at++) {
      answers.push(this.#receiveOne(connection, commands.at(at), whole, share, busy));
    }
    await Promise.all(answers);
  }

  #receiveOne(connection: Connection, command: ParsedCommand, whole: WholeArray, bytes: number, alreadyBusy?: string): Promise<void> {
    const answer = this.#takeOne(connection, command, whole, bytes, alreadyBusy);
    return (answer ?? Promise.resolve()).finally(() => connection.answered());
  }

  /** @returns undefined: it has been answered */
  #takeOne(
    connection: Connection,
    command: ParsedCommand,
    { bytes: message, waitMs, atMs }: WholeArray,
    bytes: number,
    alreadyBusy: string | undefined,
  ): Promise<void> | void {
    if (connection.socket === undefined) return;
    if (command instanceof MessageError) return this.#refuse(connection, { id: command.messageId }, command.code, command.message);
    const { commandsPerSecondMax } = this.#options.config.tuning.commands;
    this.#options.metrics.messageIn(command.type);
    const asked = askedBy(command);
    connection.commandBucket ??= { rateTokens: Number.POSITIVE_INFINITY, rateAtMs: 0 };
    const commandWaitMs = oweToken(connection.commandBucket, commandsPerSecondMax, atMs);
    // A refused command costs as much as most others: who sends them on and on is told once more, by the close.
    if (commandWaitMs === 'flood') {
      this.#options.metrics.floods.inc();
      return connection.end('tooManyErrors', 'more commands than allowed');
    }
    if (waitMs > 0) return this.#refuse(connection, asked, 'rate_limited', 'messages or bytes came too fast', waitMs);
    if (commandWaitMs > 0)
      return this.#refuse(connection, asked, 'rate_limited', `${commandsPerSecondMax} commands a second`, commandWaitMs);
    if (command.type === 'ping') return this.#pong(connection, command);
    const busy = alreadyBusy ?? this.#options.inFlight.take(connection, bytes);
    if (busy !== undefined) return this.#refuse(connection, asked, 'busy', busy);
    return this.#answer(connection, asked, bytes, this.#start(connection, command, message));
  }

  #pong(connection: Connection, { t }: ClientMessage<'ping'>): void {
    connection.send({ type: 'pong', serverTimeMs: Date.now(), ...(t !== undefined && { t }) });
  }

  /** @returns undefined: the client has been told what is wrong */
  #parse(connection: Connection, bytes: Uint8Array): ClientMessage | CommandArray | undefined {
    try {
      return parseClientFrame(connection.codec, bytes, this.#options.config.tuning.commands.commandsPerMessageMax);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      // Whatever is in it, its frame was whole: the next message begins where it should.
      this.#refuse(connection, { id: error.messageId }, error.code, error.message);
      return undefined;
    }
  }

  /** Until it resolves the command is in flight. Gets no message: what is kept until then is what {@link InFlight} counts. */
  async #answer(connection: Connection, asked: Asked, bytes: number, done: Promise<void>): Promise<void> {
    try {
      await done;
    } catch (error) {
      this.#fail(connection, asked, error as Error);
    } finally {
      this.#options.inFlight.release(connection, bytes);
    }
  }

  #start(connection: Connection, message: Command, bytes: Uint8Array): Promise<void> {
    if (message.type === 'connect') return this.#connectFirst(connection, message);
    if (connection.authenticating === undefined) return this.#dispatch(connection, message);
    return this.#startLater(connection, connection.authenticating, bytes);
  }

  /** Keeps the bytes and not the message, whose values may take many times as much. */
  async #startLater(connection: Connection, authenticated: Promise<void>, bytes: Uint8Array): Promise<void> {
    await authenticated;
    const message = this.#parse(connection, bytes);
    if (message !== undefined && !(message instanceof CommandArray)) return this.#dispatch(connection, message as Command);
  }

  async #connectFirst(connection: Connection, message: ClientMessage<'connect'>): Promise<void> {
    if (connection.greeted) throw new ProtocolError('already_connected', 'connect comes first, and once');
    connection.greeted = true;
    return this.#inTurn(connection, () => this.#connect(connection, message));
  }

  /** Rejects with what the client is to be told. */
  async #dispatch(connection: Connection, message: Command): Promise<void> {
    return this.#handle(connection, message);
  }

  #handle(connection: Connection, message: Command): Promise<void> | void {
    if (connection.socket === undefined || message.type === 'connect') return;
    if (!this.#isReady(connection)) {
      this.#refuse(connection, askedBy(message), 'unauthorized', 'connect with a token first');
      return connection.end('unauthorized');
    }
    switch (message.type) {
      case 'subscribe':
        return this.#options.subscriber.subscribe(connection, message);
      case 'unsubscribe':
        return this.#options.subscriber.unsubscribe(connection, message);
      case 'publish':
        return this.#options.publishes.publish(connection, message);
      case 'history':
        return this.#options.histories.answer(connection, message);
      case 'call':
        return this.#options.calls.call(connection, message);
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
      if (await this.#identify(connection, token, { type: 'upgrade' })) this.#greet(connection);
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
      if (!(await this.#identify(connection, message.token, askedBy(message)))) return;
    } else if (!this.#isReady(connection)) {
      this.#refuse(connection, askedBy(message), 'unauthorized', 'a token is needed');
      return connection.end('unauthorized');
    }
    connection.deflate = message.compression === 'deflate-raw' && connection.codec.encoding === 'msgpack';
    this.#greet(connection, message.id);
  }

  /** @returns true when the connection is now the token's user; else the client has been told why not, and closed */
  async #identify(connection: Connection, token: string, asked: Asked): Promise<boolean> {
    try {
      connection.identity = await this.#options.authenticator.verify(token);
    } catch (error) {
      this.#fail(connection, asked, error as Error);
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
        bytesPerSecondMax: config.limits.bytesPerSecondMax,
        commandsPerSecondMax: config.tuning.commands.commandsPerSecondMax,
        commandsMax: config.tuning.commands.commandsPerMessageMax,
      },
      ...(id !== undefined && { id }),
      ...(expiresAtMs !== undefined && { expiresAtMs }),
    });
  }

  async #refresh(connection: Connection, message: ClientMessage<'refresh'>): Promise<void> {
    const identity = await this.#options.authenticator.verify(message.token);
    assertAllowed(decideRefresh(connection.identity, identity));
    connection.identity = identity;
    this.#options.onIdentity(connection);
    for (const topic of this.#options.subscriber.endForbidden(connection)) {
      const message = `the refreshed token does not permit ${topic}; the subscription has ended`;
      connection.send({ type: 'error', code: 'forbidden', message, retryable: false, topic });
    }
    const { expiresAtMs } = identity;
    connection.send({ type: 'refreshed', id: message.id, ...(expiresAtMs !== undefined && { expiresAtMs }) });
  }

  #fail(connection: Connection, asked: Asked, error: Error): void {
    if (error instanceof ProtocolError) return this.#refuse(connection, asked, error.code, error.message, error.retryAfterMs, error.cause);
    this.#options.onBug(error);
    this.#refuse(connection, asked, 'internal', 'something went wrong on the server');
  }

  #refuse(connection: Connection, asked: Asked, code: ErrorCode, message: string, retryAfterMs?: number, cause?: unknown): void {
    const { metrics, refusals, config } = this.#options;
    metrics.error(code);
    refusals.command(connection, asked, code, message, cause);
    connection.sendError(asked.id, code, message, retryAfterMs);
    if (isErrorTooMany(connection, code, config.tuning.commands.errorsPerMinuteMax, Date.now())) connection.end('tooManyErrors');
  }
}
