import { ProtocolError } from '../../protocol/errors.ts';
import { packMsgpack } from '../../protocol/msgpack-codec.ts';
import { toWireValue } from '../../protocol/wire-value.ts';
import type { CallTarget, ClientsCalled, Sender } from './sender.ts';

/** What a program sends through the node that it embeds. Exactly one of `namespace` and `connectionId`. */
export interface ProgramMessage {
  /** To every connection that is subscribed in it, on all nodes. */
  readonly namespace?: string | undefined;
  readonly connectionId?: string | undefined;
  /** Any value that the SDK could send. */
  readonly data: unknown;
  /** True: dropped if the socket does not keep up now. To a namespace it always is. */
  readonly volatile?: boolean | undefined;
}

/** A call of one client, or of all connections of a user. Exactly one of `connectionId` and `user`. */
export interface ProgramCall {
  readonly connectionId?: string | undefined;
  readonly user?: string | undefined;
  readonly method: string;
  readonly data?: unknown;
  /** Default: 5 s. */
  readonly timeoutMs?: number | undefined;
}

export interface ProgramSent {
  /** To a connection: whether it was passed to the socket; false: it was volatile, and the socket did not keep up. */
  readonly delivered?: boolean;
}

/** @throws ProtocolError `bad_message`, `bad_payload` and those of {@link Sender} */
export async function sendForProgram(
  sender: Pick<Sender, 'toNamespace' | 'toConnection'>,
  { namespace, connectionId, data, volatile = false }: ProgramMessage,
): Promise<ProgramSent> {
  const value = packed(data);
  if (namespace !== undefined && connectionId === undefined) {
    await sender.toNamespace(namespace, value);
    return {};
  }
  if (namespace !== undefined || connectionId === undefined)
    throw new ProtocolError('bad_message', 'expected one of namespace and connectionId');
  return { delivered: await sender.toConnection(connectionId, value, volatile === true) };
}

/** @throws ProtocolError `bad_message`, `bad_payload` and those of {@link Sender.call} */
export async function callForProgram(
  sender: Pick<Sender, 'call'>,
  { connectionId, user, method, data = null, timeoutMs }: ProgramCall,
): Promise<ClientsCalled> {
  if (timeoutMs !== undefined && !(timeoutMs >= 1)) throw new ProtocolError('bad_message', 'timeoutMs: expected a number of milliseconds');
  return sender.call({ target: targetOf(connectionId, user), method, data: packed(data), timeoutMs });
}

function targetOf(connectionId: string | undefined, user: string | undefined): CallTarget {
  if (connectionId !== undefined && user === undefined) return { connectionId };
  if (connectionId === undefined && user !== undefined) return { user };
  throw new ProtocolError('bad_message', 'expected one of connectionId and user');
}

function packed(data: unknown): Uint8Array {
  return packMsgpack(toWireValue(data, BadPayload));
}

class BadPayload extends ProtocolError {
  constructor(message: string, options: ErrorOptions) {
    super('bad_payload', message, options);
  }
}
