import { Compile } from 'typebox/compile';
import type { Codec } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { knownFieldsOf } from './known-fields.ts';
import { findMessageId } from './message-id.ts';
import { CLIENT_MESSAGES, type ClientMessage, type ClientMessageType } from './messages.ts';
import { subscribesOf } from './subscribe-many.ts';

const validators = new Map(Object.entries(CLIENT_MESSAGES).map(([type, schema]) => [type, Compile(schema)]));

/**
 * Decodes and checks a client's message.
 *
 * @throws MessageError `bad_message` (encoding or schema), `unknown_type`
 */
export function parseClientMessage(codec: Codec, bytes: Uint8Array): ClientMessage {
  return checkClientMessage(decode(codec, bytes));
}

/**
 * The same for a frame that may contain many commands: an array, or `subscribeMany`.
 *
 * @returns one message, or the commands
 * @throws MessageError as {@link parseClientMessage}; also `bad_message` for an empty array, or more than `commandsMax` commands
 */
export function parseClientFrame(codec: Codec, bytes: Uint8Array, commandsMax: number): CommandMessage | CommandArray {
  const value = decode(codec, bytes);
  if (Array.isArray(value)) return new CommandArray(expanded(value, commandsMax));
  const message = checkClientMessage(value);
  return message.type === 'subscribeMany' ? new CommandArray(expanded([message], commandsMax)) : message;
}

/** `subscribeMany` stands for a `subscribe` for each topic: only these are carried out. */
export type CommandType = Exclude<ClientMessageType, 'subscribeMany'>;
export type CommandMessage<K extends CommandType = CommandType> = ClientMessage<K>;
export type ParsedCommand = CommandMessage | MessageError;

/** The values of an array, with the commands of each `subscribeMany` in its place. @throws MessageError for none, or more than `commandsMax` */
function expanded(values: readonly unknown[], commandsMax: number): unknown[] {
  const commands: unknown[] = [];
  for (const value of values) {
    if (commands.length > commandsMax) break;
    const isMany = (value as { type?: unknown } | null | undefined)?.type === 'subscribeMany';
    if (isMany) commands.push(...boundedSubscribes(value, commandsMax));
    else commands.push(value);
  }
  if (commands.length > 0 && commands.length <= commandsMax) return commands;
  throw new MessageError('bad_message', `a message has 1 to ${commandsMax} commands, not ${commands.length}`, undefined);
}

/** A command whose members have been checked as those of a `subscribeMany`. */
class Checked {
  readonly command: CommandMessage;

  constructor(command: CommandMessage) {
    this.command = command;
  }
}

/** At most one more than `commandsMax`: what exceeds it is refused whole. */
function boundedSubscribes(value: unknown, commandsMax: number): readonly unknown[] {
  let many: ClientMessage<'subscribeMany'>;
  try {
    many = checkClientMessage(value) as ClientMessage<'subscribeMany'>;
  } catch (error) {
    return [error];
  }
  const { epoch, topics } = many;
  const subscribes = subscribesOf({ ...many, topics: topics.slice(0, commandsMax + 1) });
  const wrong = (id: number) => new MessageError('bad_message', 'subscribeMany: an offset needs the `epoch` of the message', id);
  return subscribes.map((subscribe) =>
    subscribe.since !== undefined && epoch === undefined ? wrong(subscribe.id) : new Checked(subscribe),
  );
}

/**
 * Commands in order. Each is checked when it is requested, because a client that is closed after sixty errors should not cost a check of a thousand commands. A
 * bad one costs twenty times as much as a good one.
 */
export class CommandArray {
  readonly #values: readonly unknown[];

  constructor(values: readonly unknown[]) {
    this.#values = values;
  }

  get length(): number {
    return this.#values.length;
  }

  /** @returns the command, or the error to answer it with */
  at(index: number): ParsedCommand {
    const value = this.#values[index];
    if (value instanceof Checked) return value.command;
    if (value instanceof MessageError) return value;
    try {
      return checkClientMessage(value) as CommandMessage;
    } catch (error) {
      if (error instanceof MessageError) return error;
      throw error;
    }
  }
}

/** Checks a decoded message. @throws MessageError `bad_message`, `unknown_type` */
export function checkClientMessage(value: unknown): ClientMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MessageError('bad_message', 'a message is a map with a `type`', undefined);
  }
  const { type, id } = value as { type?: unknown; id?: unknown };
  // The id of an answer is one of the server's own: an error with it would look like one for a command of the client.
  const isCommand = type !== 'result' && type !== 'error';
  const messageId = isCommand && Number.isSafeInteger(id) && (id as number) >= 0 ? (id as number) : undefined;
  if (typeof type !== 'string') throw new MessageError('bad_message', '`type` is missing', messageId);
  const validator = validators.get(type as ClientMessageType);
  if (validator === undefined)
    throw new MessageError('unknown_type', `unknown message type ${JSON.stringify(type.slice(0, 40))}`, messageId);
  if (validator.Check(value)) return knownFieldsOf(value as ClientMessage);
  const [first] = validator.Errors(value);
  throw new MessageError('bad_message', `${type}${first?.instancePath ?? ''}: ${first?.message ?? 'does not match its schema'}`, messageId);
}

function decode(codec: Codec, bytes: Uint8Array): unknown {
  try {
    return codec.decode(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new MessageError('bad_message', error.message, findMessageId(codec.encoding, bytes));
  }
}

/** A refused message. `messageId` is its id if it could be read, so that the answer can have it. */
export class MessageError extends ProtocolError {
  readonly messageId: number | undefined;

  constructor(code: 'bad_message' | 'unknown_type', message: string, messageId: number | undefined) {
    super(code, message);
    this.name = 'MessageError';
    this.messageId = messageId;
  }
}
