import type { Bus } from '../../bus/bus.ts';
import { BusError } from '../../bus/bus-error.ts';
import type { RequestAddress } from '../../bus/channel.ts';
import type { CallAnswer } from '../../bus/requests.ts';
import { namespaceOptions } from '../../config/namespaces.ts';
import type { Config } from '../../config/schema.ts';
import { type ErrorCode, ProtocolError } from '../../protocol/errors.ts';
import { unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import { parseTopic } from '../../protocol/topic.ts';
import { toProtocolError } from '../failure.ts';
import type { Finder } from '../finding/finder.ts';
import { payloadToMsgpack } from '../payload.ts';
import type { ConnectionsFound } from '../report-types.ts';
import { callAddress, isConnectionId, namespaceAddress, sendAddress } from './addresses.ts';
import { assertFits, CALL_TIMEOUT_MS } from './deliverer.ts';

/** Time for the node of a connection to pass a message on. */
const SEND_TIMEOUT_MS = 2000;

export interface SenderOptions {
  readonly config: Pick<Config, 'namespaces' | 'tuning'>;
  readonly bus: Pick<Bus, 'send' | 'request' | 'connected'>;
  readonly finder: Pick<Finder, 'connections'>;
}

export type CallTarget = { readonly connectionId: string } | { readonly user: string };

/** A call of one client, or of all connections of a user. */
export interface ServerCall {
  readonly target: CallTarget;
  readonly method: string;
  /** One MessagePack value. */
  readonly data: Uint8Array;
  readonly timeoutMs?: number | undefined;
}

/** What one client answered, or why it did not: a code of the protocol, or its handler's own. */
export type ClientAnswer = { readonly connectionId: string } & (
  | { readonly data: unknown }
  | { readonly error: { readonly code: string; readonly message: string } }
);

/** Of a user's connections: which nodes were asked for them. A node that was silent may have more. */
export interface ClientsCalled extends Partial<Omit<ConnectionsFound, 'total' | 'connections'>> {
  readonly answers: readonly ClientAnswer[];
}

/** What the operator and the embedding program send, to connections of all nodes. */
export class Sender {
  readonly #options: SenderOptions;
  #inFlight = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** To every connection that is subscribed in the namespace, at most once. @throws ProtocolError `unknown_namespace`, `message_too_big`, `unavailable` */
  async toNamespace(namespace: string, data: Uint8Array): Promise<void> {
    const { config, bus } = this.#options;
    if (namespaceOptions(config, namespace) === undefined) throw new ProtocolError('unknown_namespace', `${namespace} is not configured`);
    assertFits(data, config.tuning.sending.messageBytesMax);
    try {
      await bus.send(namespaceAddress(namespace), data, 'msgpack');
    } catch (error) {
      throw toProtocolError(error as Error);
    }
  }

  /** @returns false: it is volatile, and the socket does not keep up. @throws ProtocolError `no_such_connection`, `message_too_big`, `busy`, `unavailable` */
  async toConnection(connectionId: string, data: Uint8Array, volatile: boolean): Promise<boolean> {
    if (!isConnectionId(connectionId)) throw noConnection();
    assertFits(data, this.#options.config.tuning.sending.messageBytesMax);
    const answer = await this.#ask(sendAddress(connectionId), data, SEND_TIMEOUT_MS, volatile);
    if (answer.kind === 'serviceError') throw new ProtocolError(answer.code as ErrorCode, answer.text);
    return (dataOf(answer) as { delivered?: boolean }).delivered === true;
  }

  /**
   * Each connection of the target answers by itself, or has an error. @throws ProtocolError `bad_topic` (the method), `message_too_big`, `busy`, `unavailable`;
   * `no_such_connection` if the target is a connection
   */
  async call({ target, method: name, data, timeoutMs = CALL_TIMEOUT_MS }: ServerCall): Promise<ClientsCalled> {
    const { tuning } = this.#options.config;
    const method = parseTopic(name);
    assertFits(data, tuning.sending.messageBytesMax);
    const { ids, ...from } = await this.#connectionsOf(target);
    const atMostMs = Math.min(timeoutMs, tuning.commands.callTimeoutMaxMs);
    const ask = async (connectionId: string): Promise<ClientAnswer> => {
      const answer = await this.#ask(callAddress(connectionId, method), data, atMostMs);
      if (answer.kind === 'serviceError') return { connectionId, error: { code: answer.code, message: answer.text } };
      return { connectionId, data: dataOf(answer) };
    };
    const answers = await Promise.all(ids.map((id) => ask(id).catch((error: Error) => failed(id, error))));
    const [first] = answers;
    // A user's connection that has closed meanwhile is one of several. A connection that does not exist is a mistake of the caller.
    if ('connectionId' in target && first !== undefined && 'error' in first && first.error.code === 'no_such_connection')
      throw noConnection();
    return { answers, ...from };
  }

  async #connectionsOf(target: CallTarget): Promise<Omit<ClientsCalled, 'answers'> & { readonly ids: readonly string[] }> {
    if ('user' in target) {
      // Those of other nodes cannot be found. No answers would mean that the user has no connection.
      if (!this.#options.bus.connected) throw new ProtocolError('unavailable', 'the broker cannot be reached now');
      const { callConnectionsMax } = this.#options.config.tuning.sending;
      const { total: _, connections, ...from } = await this.#options.finder.connections(target, callConnectionsMax);
      return { ids: connections.map(({ connectionId }) => connectionId), ...from };
    }
    if (!isConnectionId(target.connectionId)) throw noConnection();
    return { ids: [target.connectionId] };
  }

  async #ask(address: RequestAddress, payload: Uint8Array, timeoutMs: number, volatile = false): Promise<CallAnswer> {
    const { bus, config } = this.#options;
    const { requestsInFlightMax } = config.tuning.sending;
    if (this.#inFlight >= requestsInFlightMax)
      throw new ProtocolError('busy', `${requestsInFlightMax} requests of this node are unanswered`);
    this.#inFlight++;
    try {
      return await bus.request(address, { payload, payloadKind: 'msgpack', timeoutMs, volatile });
    } catch (error) {
      if (error instanceof BusError && error.code === 'no_responders') throw noConnection();
      throw toProtocolError(error as Error);
    } finally {
      this.#inFlight--;
    }
  }
}

/** @throws ProtocolError */
function failed(connectionId: string, error: Error): ClientAnswer {
  if (!(error instanceof ProtocolError)) throw error;
  return { connectionId, error: { code: error.code, message: error.message } };
}

/** @throws ProtocolError `bad_answer` */
function dataOf({ payload, payloadKind = 'msgpack' }: Extract<CallAnswer, { kind: 'result' }>): unknown {
  const result = payloadToMsgpack(payload, payloadKind);
  if (result.kind === 'malformed') throw new ProtocolError('bad_answer', result.reason);
  return unpackMsgpack(result.data);
}

function noConnection(): ProtocolError {
  return new ProtocolError('no_such_connection', 'there is no such connection');
}
