import { type RawData, WebSocket } from 'ws';
import { type Codec, type Encoding, SUBPROTOCOLS } from '../protocol/codec.ts';
import { jsonCodec } from '../protocol/json-codec.ts';
import { stringifyJson } from '../protocol/json-writer.ts';
import type { ClientMessage, ServerMessage } from '../protocol/messages.ts';
import { msgpackCodec } from '../protocol/msgpack-codec.ts';
import { toWireValue, WireValueError } from '../protocol/wire-value.ts';
import { CliError } from './errors.ts';

/** Sends integers with all their digits, as the user wrote them. jsonCodec instead writes for readers that parse every number as a double. */
const exactJsonCodec: Codec = {
  ...jsonCodec,
  encode: (message) => Buffer.from(stringifyJson(toWireValue(message, WireValueError), 'digits')),
};
const CODECS: Record<Encoding, Codec> = { msgpack: msgpackCodec, json: exactJsonCodec };
/** Maximum number of unanswered requests. The commands stay far below it. */
const PENDING_MAX = 1024;
/** The node waits up to 60 s for a publish. After that no answer will come. */
const REQUEST_TIMEOUT_MS = 75_000;
const OPEN_TIMEOUT_MS = 10_000;
const EARLY_MAX = 16;

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface Endpoint {
  readonly url: string;
  readonly encoding: Encoding;
  readonly token?: string | undefined;
}

type Request = ClientMessage extends infer M ? (M extends { id?: number } ? Omit<M, 'id'> : never) : never;
type Pending = { resolve(answer: ServerMessage): void; reject(error: Error): void; timer: NodeJS.Timeout };

/** One WebSocket connection to a node for the duration of a command. It does not reconnect. */
export class Connection {
  /** Resolves when the connection has ended, for any reason. Never rejects. */
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  readonly #codec: Codec;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  /** Messages that arrived before there was a listener: a node may report that its feed is not live before anything else. */
  readonly #early: ServerMessage[] = [];
  #listener: (message: ServerMessage) => void = (message) => {
    if (this.#early.length < EARLY_MAX) this.#early.push(message);
  };
  #silence: NodeJS.Timeout | undefined;
  #silenceMs = 0;

  private constructor(socket: WebSocket, codec: Codec) {
    this.#socket = socket;
    this.#codec = codec;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        const closed = { code, reason: reason.toString() || (code === 1006 ? 'connection lost' : 'no reason given') };
        clearTimeout(this.#silence);
        for (const pending of this.#pending.values()) this.#settle(pending).reject(closedError(closed));
        this.#pending.clear();
        resolve(closed);
      });
    });
    // 'close' follows every error, and has enough information.
    socket.on('error', () => {});
    socket.on('message', (data) => this.#receive(data));
    socket.on('ping', () => this.#heard());
  }

  /**
   * Connects and sends `connect`.
   *
   * @throws CliError `unreachable`, `refused`, or the code of the node's error message
   */
  static async open({ url, encoding, token }: Endpoint): Promise<{ connection: Connection; connected: ServerMessage<'connected'> }> {
    const connection = await openSocket(url, SUBPROTOCOLS[encoding], (socket) => new Connection(socket, CODECS[encoding]));
    try {
      const answer = await connection.request({ type: 'connect', ...(token === undefined ? {} : { token }) });
      const connected = answer as ServerMessage<'connected'>;
      // Two missed pings and a margin: the other side no longer responds.
      connection.#silenceMs = connected.pingIntervalMs * 2 + 10_000;
      connection.#heard();
      return { connection, connected };
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Sets the listener for messages that are not an answer to a {@link request}. It first gets those that have already arrived. */
  onMessage(listener: (message: ServerMessage) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  /** Sends a command and waits for its answer. @throws CliError with the code of the error message, `connection_closed`, `timeout` */
  request(message: Request): Promise<ServerMessage> {
    if (this.#pending.size >= PENDING_MAX)
      return Promise.reject(new CliError('busy', `more than ${PENDING_MAX} requests wait for an answer`));
    if (this.#socket.readyState !== WebSocket.OPEN) return this.closed.then((closed) => Promise.reject(closedError(closed)));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new CliError('timeout', `no answer to ${message.type} within ${REQUEST_TIMEOUT_MS / 1000} s`));
      }, REQUEST_TIMEOUT_MS);
      this.#pending.set(id, { resolve, reject, timer });
      this.#send({ ...message, id });
    });
  }

  close(): void {
    this.#socket.close(1000);
  }

  #send(message: object): void {
    this.#socket.send(this.#codec.encode(message), { binary: this.#codec.binary });
  }

  #receive(data: RawData): void {
    this.#heard();
    const message = this.#codec.decode(data as Buffer) as ServerMessage;
    // Its id is the node's, and may be that of a request here.
    if (message.type === 'call') return this.#send({ type: 'error', id: message.id, code: 'no_handler' });
    const id = 'id' in message && message.id !== undefined ? message.id : this.#unnamedId(message);
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || pending === undefined) return this.#listener(message);
    this.#pending.delete(id);
    const { resolve, reject } = this.#settle(pending);
    if (message.type === 'error') reject(new AnswerError(message));
    else resolve(message);
  }

  /**
   * If a command exceeds the message rate, the node refuses it without parsing it, so the error has no id. While one request waits, the error is for that one.
   */
  #unnamedId(message: ServerMessage): number | undefined {
    if (message.type !== 'error' || message.code !== 'rate_limited' || this.#pending.size !== 1) return undefined;
    return this.#pending.keys().next().value;
  }

  #settle(pending: Pending): Pending {
    clearTimeout(pending.timer);
    return pending;
  }

  #heard(): void {
    if (this.#silenceMs === 0) return;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#socket.terminate(), this.#silenceMs);
  }
}

/** An error for a command that the node refused. */
export class AnswerError extends CliError {
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor({ code, message, retryable, retryAfterMs }: ServerMessage<'error'>) {
    super(code, message);
    this.name = 'AnswerError';
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

function closedError({ code, reason }: Closed): CliError {
  return new CliError('connection_closed', `the node closed the connection: ${code} ${reason}`);
}

/** @param onOpen called before anything from the other side is read; later, the first message could be missed */
function openSocket<T>(url: string, subprotocol: string, onOpen: (socket: WebSocket) => T): Promise<T> {
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url)) throw new CliError('usage', `${url}: expected a URL like ws://localhost:8080/ws`, 2);
  const socket = new WebSocket(url, subprotocol, { handshakeTimeout: OPEN_TIMEOUT_MS, perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(onOpen(socket)));
    socket.once('unexpected-response', (request, response) => {
      reject(new CliError('refused', `${url} answered HTTP ${response.statusCode} ${response.statusMessage ?? ''}`.trimEnd()));
      response.resume();
      request.destroy();
    });
    socket.on('error', (cause) => {
      reject(new CliError('unreachable', `cannot connect to ${url} (${reasonOf(cause)}); is a node running there?`, 1, { cause }));
    });
  });
}

/** Connecting to `localhost` tries two addresses and fails with an AggregateError whose own message is empty. */
function reasonOf(cause: Error): string {
  return cause.message || (cause as NodeJS.ErrnoException).code || 'failed';
}
