import { Packr } from 'msgpackr';
import { type ClientOptions, WebSocket } from 'ws';
import { type Encoding, SUBPROTOCOLS } from '../../src/protocol/codec.ts';
import type { ClientMessage, Item, ServerMessage, ServerMessageType } from '../../src/protocol/messages.ts';
import { decodeMessages, isDeflated } from './decode-frame.ts';
import { TopicTracker } from './topic-tracker.ts';

const WAIT_MS = 30_000;
const packr = new Packr({ useRecords: false, int64AsType: 'auto' as 'number', variableMapSize: true });

export interface TestClientOptions {
  /** Undefined: no subprotocol is asked for. */
  readonly encoding?: Encoding | undefined;
  /** Goes into an Authorization header. */
  readonly token?: string;
  /** Instead of what `encoding` asks for. */
  readonly protocols?: readonly string[];
  /** `servername`: the name that is asked for in TLS. */
  readonly socket?: ClientOptions & { readonly servername?: string };
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** An HTTP answer where a WebSocket was wanted. */
export class Refused extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;

  constructor(status: number, headers: Refused['headers']) {
    super(`refused with ${status}`);
    this.status = status;
    this.headers = headers;
  }
}

type Command = Exclude<ClientMessage, { type: 'ping' }>;
/** A command without its id. */
export type Ask = Command extends infer C ? (C extends Command ? Omit<C, 'id'> : never) : never;

/** A client that keeps what it gets and waits for it: no retries, no judgement. */
export class TestClient {
  readonly socket: WebSocket;
  readonly encoding: Encoding;
  readonly messages: ServerMessage[] = [];
  /** Sizes of what came, an array of messages once. */
  readonly frameBytes: number[] = [];
  /** Frames that came deflated. */
  deflatedFrames = 0;
  pings = 0;
  readonly closed: Promise<Closed>;
  readonly #trackers = new Map<string, TopicTracker>();
  /** Messages that have arrived and that no call has taken yet. */
  #untaken: ServerMessage[] = [];
  #waiting: (() => void)[] = [];
  #isClosed: Closed | undefined;
  /** A broken connection; a close tells of it too. */
  #error: Error | undefined;
  #nextId = 1000;

  private constructor(url: string, { encoding, token, protocols, socket }: TestClientOptions) {
    this.encoding = encoding ?? 'json';
    const entries = protocols ?? (encoding === undefined ? [] : [SUBPROTOCOLS[encoding]]);
    const headers = { ...socket?.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    this.socket = new WebSocket(url, [...entries], { perMessageDeflate: false, ...socket, headers });
    this.socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary));
    this.socket.on('ping', () => {
      this.pings++;
      this.#changed();
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        this.#isClosed = { code, reason: reason.toString() };
        resolve(this.#isClosed);
        this.#changed();
      });
    });
  }

  /** Resolves when the WebSocket is open. @throws Refused */
  static async connect(url: string, options: TestClientOptions = {}): Promise<TestClient> {
    const client = new TestClient(url, options);
    await new Promise<void>((resolve, reject) => {
      client.socket.once('open', resolve);
      client.socket.once('unexpected-response', (request, response) => {
        reject(new Refused(response.statusCode ?? 0, response.headers));
        request.destroy();
      });
      client.socket.once('error', reject);
    });
    client.socket.on('error', (error) => {
      client.#error = error;
    });
    return client;
  }

  send(message: object): void {
    this.socket.send(this.encoding === 'json' ? JSON.stringify(message) : packr.pack(message));
  }

  sendBytes(bytes: Uint8Array | string): void {
    this.socket.send(bytes);
  }

  /** Sends a command with a new id. @returns its answer (for `history`: all parts joined) or an `error` */
  async ask(command: Ask): Promise<ServerMessage> {
    const id = this.#nextId++;
    this.send({ ...command, id });
    const items: Item[] = [];
    for (;;) {
      const message = await this.#take(`the answer to ${command.type}`, (message) => 'id' in message && message.id === id);
      if (message.type !== 'history') return message;
      items.push(...message.items);
      if (message.continues !== true) return { ...message, items };
    }
  }

  /** The same, where only this answer will do. */
  async get<T extends ServerMessageType>(answer: T, command: Ask): Promise<ServerMessage<T>> {
    const message = await this.ask(command);
    if (message.type !== answer) throw new Error(`${command.type} was answered with ${JSON.stringify(message)}`);
    return message as ServerMessage<T>;
  }

  /** @returns the answer, with all of what was missed, or of the state: what came of it in batches is taken, and joined to it */
  async subscribe(topic: string, more: Partial<ClientMessage<'subscribe'>> = {}): Promise<ServerMessage<'subscribed'>> {
    const answer = await this.get('subscribed', { type: 'subscribe', topic, ...more });
    const { upTo } = answer;
    if (upTo === undefined) return answer;
    const isRest = (message: ServerMessage): message is ServerMessage<'batch'> =>
      message.type === 'batch' && message.topic === topic && message.epoch === answer.epoch && message.prev < upTo;
    const rest = () => this.messages.slice(this.messages.indexOf(answer)).filter(isRest);
    await this.until('the rest of what was missed', () => (rest().at(-1)?.items.at(-1)?.[0] ?? 0) >= upTo);
    const taken = rest();
    this.#untaken = this.#untaken.filter((message) => !taken.includes(message as ServerMessage<'batch'>));
    const offset = taken.at(-1)!.items.at(-1)![0];
    return { ...answer, offset, items: [...answer.items, ...taken.flatMap(({ items }) => items.filter((item) => item.length > 1))] };
  }

  /** Waits for the next message of a type that no call has taken yet. */
  next<T extends ServerMessageType>(type: T, fits: (message: ServerMessage<T>) => boolean = () => true): Promise<ServerMessage<T>> {
    return this.#take(type, (message) => message.type === type && fits(message as ServerMessage<T>)) as Promise<ServerMessage<T>>;
  }

  /** Follows a topic as the protocol tells a client to. */
  track(topic: string): TopicTracker {
    const known = this.#trackers.get(topic);
    if (known !== undefined) return known;
    const tracker = new TopicTracker(topic);
    this.#trackers.set(topic, tracker);
    for (const message of this.messages) tracker.receive(message);
    return tracker;
  }

  /** Waits until something holds; asked again whenever a message came. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + WAIT_MS;
    while (!holds()) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new Error(`waited ${WAIT_MS} ms for ${what}; last messages: ${this.#lastMessages()}`);
      if (this.#isClosed !== undefined) {
        const how = `closed with ${this.#isClosed.code} before ${what}`;
        throw new Error(`${how}; last messages: ${this.#lastMessages()}`, { cause: this.#error });
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Answered after everything that the server had for this client before: for showing that something did not come. */
  async settle(): Promise<void> {
    const t = this.#nextId++;
    this.send({ type: 'ping', t });
    await this.next('pong', (message) => message.t === t);
  }

  /** Stops reading, so that the server's socket fills up. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  async close(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  async #take(what: string, fits: (message: ServerMessage) => boolean): Promise<ServerMessage> {
    await this.until(what, () => this.#untaken.some(fits));
    const index = this.#untaken.findIndex(fits);
    return this.#untaken.splice(index, 1)[0] as ServerMessage;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (isBinary !== (this.encoding === 'msgpack')) throw new Error(`a ${isBinary ? 'binary' : 'text'} frame for ${this.encoding}`);
    if (isBinary && isDeflated(data)) this.deflatedFrames++;
    this.frameBytes.push(data.length);
    for (const message of decodeMessages(data, isBinary)) this.#receiveOne(message);
    this.#changed();
  }

  #receiveOne(message: ServerMessage): void {
    this.messages.push(message);
    const tracker = 'topic' in message && message.topic !== undefined ? this.#trackers.get(message.topic) : undefined;
    tracker?.receive(message);
    // Tests do not wait for messages of topics that a tracker follows: batches of a fast feed would be searched again and again.
    if (tracker === undefined || message.type !== 'batch') this.#untaken.push(message);
  }

  #changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #lastMessages(): string {
    return JSON.stringify(this.messages.slice(-5)).slice(0, 2000);
  }
}

/** The numbered parts that it has received. */
export function partsOf({ messages }: TestClient): ServerMessage<'part'>[] {
  return messages.filter((message): message is ServerMessage<'part'> => message.type === 'part');
}
