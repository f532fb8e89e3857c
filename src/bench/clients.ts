import net from 'node:net';
import tls from 'node:tls';
import { Histogram } from '../client/histogram.ts';
import { type Codec, SUBPROTOCOLS } from '../protocol/codec.ts';
import { CODECS } from '../protocol/codecs.ts';
import { nowUs } from './clock.ts';
import { clientFrame, type FrameSink, OPCODE, walkFrames } from './frames.ts';
import { readUpgradeAnswer, upgradeRequest } from './handshake.ts';
import type { ClientsSettings, OpenReport, Tally } from './messages.ts';
import { keyAt, sequenceAt, timeUsAt } from './stamp.ts';
import { StampScanner } from './stamp-scanner.ts';

/** No server here sends a longer frame, or a longer answer to an upgrade. */
const CARRY_BYTES_MAX = 4_194_304;

type State = 'upgrading' | 'subscribing' | 'ready' | 'closed';

interface Client {
  readonly socket: net.Socket;
  state: State;
  /** The beginning of a frame whose rest has not come. */
  carry: Buffer | undefined;
  /** The sequence number that should come next. */
  next: number;
}

/** Very many WebSocket clients of one topic in one process. They find the bench's stamps in frames without decoding them. */
export class BenchClients implements FrameSink {
  readonly #settings: ClientsSettings;
  readonly #url: URL;
  readonly #codec: Codec;
  readonly #scanner: StampScanner;
  readonly #clients: Client[] = [];
  readonly #latencies = new Histogram();
  #ready = 0;
  #closed = 0;
  #refusal = '';
  #delivered = 0;
  #repeated = 0;
  #skipped = 0;
  #current: Client | undefined;
  #readAtUs = 0;
  #onSettled: () => void = () => undefined;

  constructor(settings: ClientsSettings) {
    this.#settings = settings;
    this.#url = new URL(settings.url);
    this.#codec = CODECS[settings.encoding];
    this.#scanner = new StampScanner(settings.payloadBytes);
  }

  /** Opens all connections, some at a time, and resolves when each is subscribed or closed. */
  open(): Promise<OpenReport> {
    const { count, opensInFlightMax } = this.#settings;
    return new Promise((resolve) => {
      this.#onSettled = () => {
        while (this.#clients.length < count && this.#clients.length - this.#ready - this.#closed < opensInFlightMax) this.#openOne();
        if (this.#ready + this.#closed < count) return;
        this.#onSettled = () => undefined;
        resolve({ ready: this.#ready, refusal: this.#refusal });
      };
      this.#onSettled();
    });
  }

  /** @param sent publications that each client should have got */
  tally(sent: number): Tally {
    const { buckets, maxMs } = this.#latencies.summary();
    return {
      delivered: this.#delivered,
      repeated: this.#repeated,
      skipped: this.#skipped,
      behind: this.#clients.filter(({ state, next }) => state === 'ready' && next < sent).length,
      closed: this.#closed,
      refusal: this.#refusal,
      buckets,
      maxMs,
    };
  }

  data(bytes: Buffer, start: number, end: number): void {
    const client = this.#current as Client;
    const stamps = this.#scanner.each(bytes, start, end, (at) => {
      if (keyAt(bytes, at) === this.#settings.run) this.#count(client, sequenceAt(bytes, at), timeUsAt(bytes, at));
    });
    if (stamps === 0) this.#control(client, bytes.subarray(start, end));
  }

  ping(bytes: Buffer, start: number, end: number): void {
    this.#current?.socket.write(clientFrame(OPCODE.pong, bytes.subarray(start, end)));
  }

  close(bytes: Buffer, start: number, end: number): void {
    if (end - start >= 2) this.#refusal ||= `closed with ${bytes.readUInt16BE(start)} ${bytes.toString('utf8', start + 2, end)}`;
    this.#current?.socket.destroy();
  }

  #openOne(): void {
    const { hostname, port, protocol } = this.#url;
    const isSecure = protocol === 'wss:';
    // An IPv6 address stands in brackets in a URL.
    const host = hostname.replace(/^\[|\]$/g, '');
    const target = { host, port: Number(port) || (isSecure ? 443 : 80), noDelay: true };
    const socket = isSecure ? tls.connect({ ...target, servername: net.isIP(host) === 0 ? host : '' }) : net.connect(target);
    const client: Client = { socket, state: 'upgrading', carry: undefined, next: 0 };
    this.#clients.push(client);
    const { token, encoding } = this.#settings;
    const path = `${this.#url.pathname}${this.#url.search}`;
    socket.once(isSecure ? 'secureConnect' : 'connect', () =>
      socket.write(upgradeRequest(this.#url.host, path, SUBPROTOCOLS[encoding], token)),
    );
    socket.on('data', (chunk) => this.#read(client, chunk));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      this.#refusal ||= error.message || (error.code ?? 'failed');
    });
    socket.once('close', () => this.#ended(client));
  }

  #ended(client: Client): void {
    if (client.state === 'ready') this.#ready--;
    client.state = 'closed';
    this.#closed++;
    this.#onSettled();
  }

  #read(client: Client, chunk: Buffer): void {
    this.#readAtUs = nowUs();
    this.#current = client;
    const bytes = client.carry === undefined ? chunk : Buffer.concat([client.carry, chunk]);
    client.carry = undefined;
    const at = client.state === 'upgrading' ? this.#readUpgrade(client, bytes) : walkFrames(bytes, 0, bytes.length, this);
    if (at < bytes.length) client.carry = bytes.subarray(at);
    if (bytes.length - at > CARRY_BYTES_MAX) client.socket.destroy(new Error('the server sent a frame of more than 4 MiB'));
  }

  #readUpgrade(client: Client, bytes: Buffer): number {
    const answer = readUpgradeAnswer(bytes, bytes.length);
    if (answer.kind === 'partial') return 0;
    if (answer.kind === 'refused') {
      this.#refusal ||= `the server answered ${answer.status}`;
      client.socket.destroy();
      return bytes.length;
    }
    client.state = 'subscribing';
    const command = this.#codec.encode({ type: 'subscribe', id: 1, topic: this.#settings.topic });
    client.socket.write(clientFrame(this.#codec.binary ? OPCODE.binary : OPCODE.text, command));
    return walkFrames(bytes, answer.restAt, bytes.length, this);
  }

  #count(client: Client, sequence: number, sentAtUs: number): void {
    if (sequence < client.next) {
      this.#repeated++;
      return;
    }
    this.#skipped += sequence - client.next;
    client.next = sequence + 1;
    this.#delivered++;
    this.#latencies.add((this.#readAtUs - sentAtUs) / 1000, 1);
  }

  #control(client: Client, payload: Buffer): void {
    const message = this.#codec.decode(payload) as object | object[];
    for (const one of Array.isArray(message) ? message : [message]) this.#react(client, one);
  }

  #react(client: Client, message: { type?: string; code?: string; message?: string }): void {
    if (message.type === 'subscribed' && client.state === 'subscribing') {
      client.state = 'ready';
      this.#ready++;
      this.#onSettled();
    } else if (message.type === 'error') {
      this.#refusal ||= `${message.code}: ${message.message}`;
      client.socket.destroy();
    }
  }
}
