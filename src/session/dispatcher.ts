import type { Config } from '../config/schema.ts';
import { CommandArray, type CommandMessage, MessageError, type ParsedCommand, parseClientFrame } from '../protocol/parse.ts';
import { oweToken, takeToken } from '../telemetry/rate-limit.ts';
import type { CommandContext } from './commands/command.ts';
import { runCommand } from './commands/table.ts';
import type { Connection } from './connection.ts';
import type { InFlight } from './in-flight.ts';
import type { SessionMetrics } from './metrics.ts';
import type { InboundMessage, Reading } from './read-turns.ts';
import { type Asked, askedBy } from './refusal-log.ts';
import type { Refuser } from './refuser.ts';

type Limits = Pick<Config['limits'], 'messageBytesMax' | 'messagesPerSecondMax' | 'bytesPerSecondMax'> &
  Pick<Config['tuning']['commands'], 'commandsPerSecondMax' | 'commandsPerMessageMax'>;

export interface DispatcherOptions {
  readonly limits: Limits;
  readonly context: CommandContext;
  readonly inFlight: InFlight;
  readonly refuser: Refuser;
  readonly metrics: Pick<SessionMetrics, 'messageIn' | 'floods'>;
  /** A bug: a command could not be handled. */
  readonly failed: (connection: Connection, error: Error) => void;
}

/** The message in which an array of commands came. */
interface WholeArray {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Undefined while a token is verified: then only the bytes are kept. */
  commands: CommandArray | undefined;
  readonly atMs: number;
  /** The message exceeded a rate, so each of its commands is refused; 0: it did not. */
  readonly waitMs: number;
}

/** Parses what clients send, counts it against the limits, and executes its command. If a command throws, the answer is `error`. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #refuser: Refuser;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#refuser = options.refuser;
  }

  /**
   * Reads a message. It does not wait for answers, so it keeps nothing of the message meanwhile. Limits use the time of arrival, because a message may be read
   * later.
   *
   * @returns undefined: it has been read; otherwise its commands, which are still to be carried out, one a step
   */
  receive(connection: Connection, inbound: InboundMessage): Reading | undefined {
    if (inbound.ofStream) {
      this.#watch(connection, this.#receiveOfStream(connection, inbound));
      return undefined;
    }
    const { bytes, bytesWaitMs, atMs } = inbound;
    const { limits } = this.#options;
    if (bytes.length > limits.messageBytesMax) {
      connection.end('messageTooBig');
      return undefined;
    }
    const waitMs = takeToken(connection, limits.messagesPerSecondMax, atMs);
    const message = this.#parse(connection, bytes);
    if (message instanceof CommandArray)
      return this.#receiveMany(connection, { bytes, length: message.length, commands: message, atMs, waitMs: bytesWaitMs || waitMs });
    if (message !== undefined) this.#watch(connection, this.#receiveAlone(connection, message, bytes, { bytesWaitMs, waitMs }));
    return undefined;
  }

  /** @returns undefined: it has been answered */
  #receiveAlone(
    connection: Connection,
    message: CommandMessage,
    bytes: Uint8Array,
    { bytesWaitMs, waitMs }: { readonly bytesWaitMs: number; readonly waitMs: number },
  ): Promise<void> | void {
    const { limits, metrics, inFlight, context } = this.#options;
    metrics.messageIn(message.type);
    const asked = askedBy(message);
    // Parsed before it is refused, so that the answer has the id of the command.
    if (bytesWaitMs > 0)
      return this.#refuser.refuse(connection, asked, 'rate_limited', `more than ${limits.bytesPerSecondMax} bytes a second`, bytesWaitMs);
    if (waitMs > 0)
      return this.#refuser.refuse(connection, asked, 'rate_limited', `more than ${limits.messagesPerSecondMax} messages a second`, waitMs);
    if (message.type === 'ping') return runCommand(connection, message, context);
    const busy = inFlight.take(connection, bytes.length);
    if (busy !== undefined) return this.#refuser.refuse(connection, asked, 'busy', busy);
    return this.#answer(connection, message, bytes.length, bytes);
  }

  /** One of the commands that a stream's request stands for, as JSON. It counts against no rate, and is answered as one of an array. */
  async #receiveOfStream(connection: Connection, { bytes }: InboundMessage): Promise<void> {
    await this.#startOne(connection, bytes);
    connection.receiver.answered();
  }

  async #startOne(connection: Connection, bytes: Uint8Array): Promise<void> {
    const message = this.#parse(connection, bytes);
    if (!connection.isOpen || message === undefined || message instanceof CommandArray) return;
    this.#options.metrics.messageIn(message.type);
    const busy = this.#options.inFlight.take(connection, bytes.length);
    if (busy !== undefined) return this.#refuser.refuse(connection, askedBy(message), 'busy', busy);
    return this.#answer(connection, message, bytes.length, bytes);
  }

  #watch(connection: Connection, answered: Promise<void> | void): void {
    if (answered !== undefined) answered.catch((error: Error) => this.#options.failed(connection, error));
  }

  /**
   * An array of commands, one a step: each is accepted or refused, and answered as if it had been sent alone. What is answered in one loop turn is sent in one
   * write. While a token is verified, the others wait.
   */
  *#receiveMany(connection: Connection, whole: WholeArray): Generator<Promise<unknown> | undefined, void> {
    const { receiver } = connection;
    const { bytes, length } = whole;
    receiver.expectAnswers(length);
    // Until a command is answered, its share of the message's bytes counts as kept.
    const share = Math.ceil(bytes.length / length);
    let busy: string | undefined;
    for (let index = 0; index < length && connection.isOpen; ) {
      whole.commands ??= this.#parse(connection, bytes) as CommandArray;
      const command = whole.commands.at(index);
      if (busy === undefined && this.#mustWait(connection, command)) {
        whole.commands = undefined;
        receiver.holdsAnswers = false;
        busy = yield* this.#untilAuthenticated(connection, bytes.length);
        continue;
      }
      index++;
      receiver.holdsAnswers = index < length;
      this.#watch(connection, this.#receiveOne(connection, command, whole, share, busy));
      yield undefined;
    }
  }

  #mustWait(connection: Connection, command: ParsedCommand): boolean {
    if (!(command instanceof MessageError) && command.type === 'connect') return false;
    this.#askFirst(connection);
    return connection.authenticating !== undefined;
  }

  /** Counts the message as one command until then. @returns why it may not wait */
  *#untilAuthenticated(connection: Connection, bytes: number): Generator<Promise<unknown>, string | undefined> {
    const { inFlight } = this.#options;
    const busy = inFlight.take(connection, bytes);
    if (busy !== undefined) return busy;
    try {
      while (connection.isOpen && connection.authenticating !== undefined) yield connection.authenticating;
    } finally {
      inFlight.release(connection, bytes);
    }
    return undefined;
  }

  /** @returns undefined: it has been answered. Nearly all are at once, without the promises of a wait */
  #receiveOne(
    connection: Connection,
    command: ParsedCommand,
    whole: WholeArray,
    bytes: number,
    alreadyBusy?: string,
  ): Promise<void> | undefined {
    const answer = this.#takeOne(connection, command, whole, bytes, alreadyBusy);
    if (answer !== undefined) return answer.finally(() => connection.receiver.answered());
    connection.receiver.answered();
    return undefined;
  }

  /** @returns undefined: it has been answered */
  #takeOne(
    connection: Connection,
    command: ParsedCommand,
    { bytes: message, waitMs, atMs }: WholeArray,
    bytes: number,
    alreadyBusy: string | undefined,
  ): Promise<void> | void {
    if (!connection.isOpen) return;
    if (command instanceof MessageError) return this.#refuser.refuse(connection, { id: command.messageId }, command.code, command.message);
    const { commandsPerSecondMax } = this.#options.limits;
    this.#options.metrics.messageIn(command.type);
    connection.commandBucket ??= { rateTokens: Number.POSITIVE_INFINITY, rateAtMs: 0 };
    const commandWaitMs = oweToken(connection.commandBucket, commandsPerSecondMax, atMs);
    // A refused command costs as much as most others. A client that continues is told once more, by the close.
    if (commandWaitMs === 'flood') {
      this.#options.metrics.floods.inc();
      return connection.end('tooManyErrors', 'more commands than allowed');
    }
    if (waitMs > 0)
      return this.#refuser.refuse(connection, askedBy(command), 'rate_limited', 'too many messages or bytes per second', waitMs);
    if (commandWaitMs > 0) {
      const why = `more than ${commandsPerSecondMax} commands a second`;
      return this.#refuser.refuse(connection, askedBy(command), 'rate_limited', why, commandWaitMs);
    }
    if (command.type === 'ping') return runCommand(connection, command, this.#options.context);
    const busy = alreadyBusy ?? this.#options.inFlight.take(connection, bytes);
    if (busy !== undefined) return this.#refuser.refuse(connection, askedBy(command), 'busy', busy);
    return this.#answer(connection, command, bytes, message);
  }

  /** @returns undefined: the client has been told what is wrong */
  #parse(connection: Connection, bytes: Uint8Array): CommandMessage | CommandArray | undefined {
    try {
      return parseClientFrame(connection.codec, bytes, this.#options.limits.commandsPerMessageMax);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      // The frame was complete, so the next message begins at the right place.
      this.#refuser.refuse(connection, { id: error.messageId }, error.code, error.message);
      return undefined;
    }
  }

  /** @returns undefined: it has been answered */
  #answer(connection: Connection, command: CommandMessage, bytes: number, message: Uint8Array): Promise<void> | undefined {
    try {
      const done = this.#start(connection, command, message);
      if (done !== undefined) return this.#answerLater(connection, askedBy(command), bytes, done);
    } catch (error) {
      this.#refuser.fail(connection, askedBy(command), error as Error);
    }
    this.#options.inFlight.release(connection, bytes);
    return undefined;
  }

  /** Until it resolves, the command is in flight. It does not get the message: what is kept until then is what {@link InFlight} counts. */
  async #answerLater(connection: Connection, asked: Asked, bytes: number, done: Promise<void>): Promise<void> {
    try {
      await done;
    } catch (error) {
      this.#refuser.fail(connection, asked, error as Error);
    } finally {
      this.#options.inFlight.release(connection, bytes);
    }
  }

  /** @returns undefined: it is done. @throws the error for the client, also by rejecting */
  #start(connection: Connection, message: CommandMessage, bytes: Uint8Array): Promise<void> | void {
    if (message.type === 'connect') return runCommand(connection, message, this.#options.context);
    this.#askFirst(connection);
    if (connection.authenticating === undefined) return this.#run(connection, message);
    return this.#startLater(connection, connection.authenticating, bytes);
  }

  /** A client that begins without `connect`: where there is a connect hook, its commands wait for it. */
  #askFirst(connection: Connection): void {
    const { authentication } = this.#options.context;
    if (connection.ready || connection.authenticating !== undefined || !authentication.asksFirst(connection)) return;
    void authentication.inTurn(connection, async () => void (await authentication.identifyAnonymous(connection, { type: 'connect' })));
  }

  /** Keeps the bytes and not the message, whose values may take many times as much memory. */
  async #startLater(connection: Connection, authenticated: Promise<void>, bytes: Uint8Array): Promise<void> {
    await authenticated;
    const message = this.#parse(connection, bytes);
    if (message !== undefined && !(message instanceof CommandArray)) return this.#run(connection, message);
  }

  #run(connection: Connection, message: CommandMessage): Promise<void> | void {
    const { context } = this.#options;
    if (!connection.isOpen) return;
    if (context.authentication.isReady(connection)) return runCommand(connection, message, context);
    context.authentication.refuseAnonymous(connection, askedBy(message), 'connect with a token first');
  }
}
