import type { CalledOutcome } from '../link/answers.ts';
import type { ToWorker } from '../link/messages.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import type { Connection } from './connection.ts';

type Message = Extract<ToWorker, { kind: 'sendToConnection' }>;
type Question = Extract<ToWorker, { kind: 'callConnection' }>;

interface Waiting {
  readonly connection: Connection;
  settle(outcome: CalledOutcome): void;
}

export interface FromServersOptions {
  readonly find: (connectionId: string) => Connection | undefined;
  readonly callsPerConnectionMax: number;
}

/**
 * What servers send to single connections, and ask of them. Each call is answered by its client, or fails. The hub bounds how many wait, and their bytes; per
 * connection they are bounded here.
 */
export class FromServers {
  readonly #options: FromServersOptions;
  /** By the id that the client is told. Unique in the worker, so a client can answer no call of another. */
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(options: FromServersOptions) {
    this.#options = options;
  }

  send({ connectionId, data, volatile }: Message): 'sent' | 'dropped' | 'noConnection' {
    const connection = this.#options.find(connectionId);
    if (connection?.ready !== true) return 'noConnection';
    if (volatile && !connection.receiver.hasRoom) return 'dropped';
    connection.send({ type: 'message', data: unpackMsgpack(data) });
    return 'sent';
  }

  /** Calls back once. */
  call(question: Question, answer: (outcome: CalledOutcome) => void): void {
    const connection = this.#options.find(question.connectionId);
    const { callsPerConnectionMax } = this.#options;
    if (connection?.ready !== true) return answer(failure('no_such_connection', 'there is no such connection'));
    // It has no way to answer.
    if (connection.receiver.positions !== undefined) return answer(failure('no_handler', 'the connection is a stream of events'));
    if (connection.callsReceived >= callsPerConnectionMax)
      return answer(failure('busy', `the client has not answered ${callsPerConnectionMax} calls`));
    this.#ask(connection, question, answer);
  }

  #ask(connection: Connection, { method, data, timeoutMs }: Question, answer: (outcome: CalledOutcome) => void): void {
    const id = ++this.#lastId;
    const settle = (outcome: CalledOutcome) => {
      clearTimeout(timer);
      this.#waiting.delete(id);
      connection.callsReceived--;
      answer(outcome);
    };
    const timer = setTimeout(() => settle(failure('timeout', `the client did not answer within ${timeoutMs} ms`)), timeoutMs);
    connection.callsReceived++;
    this.#waiting.set(id, { connection, settle });
    // This may be one message too many for a slow connection: then it closes, and the call fails within this call.
    connection.send({ type: 'call', id, method, data: unpackMsgpack(data), timeoutMs });
  }

  /** The client's answer. One that comes too late, or answers no call of this connection, is ignored. */
  answered(connection: Connection, id: number, outcome: CalledOutcome): void {
    const waiting = this.#waiting.get(id);
    if (waiting?.connection === connection) waiting.settle(outcome);
  }

  closed(connection: Connection): void {
    if (connection.callsReceived === 0) return;
    for (const waiting of [...this.#waiting.values()]) {
      if (waiting.connection === connection) waiting.settle(failure('connection_closed', 'the connection closed before the answer'));
    }
  }
}

/** The client's result, as what goes to the hub. */
export function resultOutcome(data: unknown): CalledOutcome {
  // A copy: the packer's output is a view of its buffer.
  return { kind: 'result', data: Buffer.from(packMsgpack(data)) };
}

function failure(code: ErrorCode, message: string): CalledOutcome {
  return { kind: 'error', code, message };
}
