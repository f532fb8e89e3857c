import net from 'node:net';
import tls from 'node:tls';
import { until } from './until.ts';

export interface StreamEvent {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: what came
  readonly data: any;
  readonly id: string | undefined;
}

export interface EventClientOptions {
  readonly token?: string;
  readonly lastEventId?: string;
  readonly headers?: readonly string[];
  /** Of the certificate of the server, which is then asked over TLS. */
  readonly ca?: Buffer;
}

/** A client of `GET /sse` on a socket of its own: raw HTTP, and the rules of the EventSource standard. */
export class EventClient {
  readonly socket: net.Socket;
  status = 0;
  headText = '';
  /** Of a refusal. */
  bodyText = '';
  readonly events: StreamEvent[] = [];
  comments = 0;
  retryMs: number | undefined;
  lastEventId = '';
  /** The node has ended the answer. */
  isComplete = false;
  isClosed = false;
  readonly closed: Promise<void>;
  #raw = Buffer.alloc(0);
  #text = '';
  #fields = { event: '', data: [] as string[], id: undefined as string | undefined };

  constructor(port: number, path: string, { token, lastEventId, headers = [], ca }: EventClientOptions = {}) {
    const lines = [
      `GET ${path} HTTP/1.1`,
      'Host: localhost',
      ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
      ...(lastEventId === undefined ? [] : [`Last-Event-ID: ${lastEventId}`]),
      ...headers,
    ];
    const ask = () => void this.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    this.socket = ca === undefined ? net.connect(port, '127.0.0.1', ask) : tls.connect({ port, host: '127.0.0.1', ca }, ask);
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes) => this.#receive(bytes));
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => {
        this.isClosed = true;
        resolve();
      });
    });
  }

  /** Without the error of `EventSource`, the events are the messages of a WebSocket. */
  get messages(): StreamEvent['data'][] {
    return this.events.map(({ data }) => data);
  }

  ofType(event: string): StreamEvent[] {
    return this.events.filter((one) => one.event === event);
  }

  async next(event: string, count = 1): Promise<StreamEvent> {
    await until(`event ${event}`, () => this.ofType(event).length >= count);
    return this.ofType(event)[count - 1] as StreamEvent;
  }

  /** All items of a topic that it got, in order. */
  items(topic: string): unknown[] {
    return this.events.flatMap(({ data }) =>
      data.topic === topic && data.items !== undefined ? data.items.filter((item: unknown[]) => item.length > 1) : [],
    );
  }

  #receive(bytes: Buffer): void {
    this.#raw = Buffer.concat([this.#raw, bytes]);
    if (this.status === 0) {
      const end = this.#raw.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.headText = this.#raw.subarray(0, end).toString();
      this.status = Number(this.headText.split(' ')[1]);
      this.#raw = this.#raw.subarray(end + 4);
    }
    if (!/transfer-encoding: chunked/i.test(this.headText)) {
      this.bodyText += this.#raw.toString();
      this.#raw = Buffer.alloc(0);
      return;
    }
    this.#readChunks();
  }

  #readChunks(): void {
    for (;;) {
      // uWebSockets ends a chunk when the next one begins.
      const start = this.#raw.subarray(0, 2).toString() === '\r\n' ? 2 : 0;
      const end = this.#raw.indexOf('\r\n', start);
      if (end < 0) return;
      const size = Number.parseInt(this.#raw.subarray(start, end).toString(), 16);
      if (size === 0) {
        this.isComplete = true;
        return;
      }
      if (this.#raw.length < end + 2 + size) return;
      this.#text += this.#raw.subarray(end + 2, end + 2 + size).toString();
      this.#raw = this.#raw.subarray(end + 2 + size);
      const lines = this.#text.split('\n');
      this.#text = lines.pop() as string;
      for (const line of lines) this.#line(line);
    }
  }

  #line(line: string): void {
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (line === '') return this.#dispatch();
    if (name === '') this.comments++;
    else if (name === 'event') this.#fields.event = value;
    else if (name === 'data') this.#fields.data.push(value);
    else if (name === 'id') this.#fields.id = value;
    else if (name === 'retry') this.retryMs = Number(value);
    else throw new Error(`a line that no stream has: ${line}`);
  }

  #dispatch(): void {
    const { event, data, id } = this.#fields;
    this.#fields = { event: '', data: [], id: undefined };
    if (id !== undefined) this.lastEventId = id;
    if (data.length > 0) this.events.push({ event, data: JSON.parse(data.join('\n')), id });
  }
}
