import net from 'node:net';
import { clientFrame, type FrameSink, OPCODE, walkFrames } from '../../../src/bench/frames.ts';
import { readUpgradeAnswer, upgradeRequest } from '../../../src/bench/handshake.ts';
import { SUBPROTOCOLS } from '../../../src/protocol/codec.ts';

const CHUNK_BYTES = 65_536;
/** All sockets of the process read into this one buffer, one at a time. */
const chunk = Buffer.alloc(CHUNK_BYTES);
const NO_CLOSE_FRAME = 1006;
const UNAUTHORIZED = 4001;

export interface SocketEvents {
  opened(): void;
  /** A whole frame; the bytes are only good until this returns. */
  frame(bytes: Buffer, start: number, end: number): void;
  /** Once, however it ends. */
  ended(code: number, text: string): void;
}

/** One WebSocket connection on a raw socket. */
export class ClientSocket implements FrameSink {
  readonly #socket: net.Socket;
  readonly #events: SocketEvents;
  #open = false;
  #ended = false;
  #carry: Buffer | undefined;
  #code = NO_CLOSE_FRAME;
  #text = 'cut';

  constructor(port: number, token: string | undefined, events: SocketEvents) {
    this.#events = events;
    const host = '127.0.0.1';
    this.#socket = net.connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: chunk,
        callback: (length: number) => {
          this.#read(length);
          return true;
        },
      },
    });
    this.#socket.once('connect', () => this.#socket.write(upgradeRequest(`${host}:${port}`, '/ws', SUBPROTOCOLS.msgpack, token)));
    this.#socket.once('error', (error) => {
      this.#text = error.message;
    });
    this.#socket.once('end', () => this.#socket.destroy());
    this.#socket.once('close', () => this.#end());
  }

  send(payload: Uint8Array): void {
    if (this.#open && !this.#ended) this.#socket.write(clientFrame(OPCODE.binary, payload));
  }

  /** Cuts it, as a client that loses its network does; nothing more is told. */
  cut(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  data(bytes: Buffer, start: number, end: number): void {
    // What follows in the same chunk belongs to a connection that was given up.
    if (!this.#ended) this.#events.frame(bytes, start, end);
  }

  ping(bytes: Buffer, start: number, end: number): void {
    this.#socket.write(clientFrame(OPCODE.pong, bytes.subarray(start, end)));
  }

  close(bytes: Buffer, start: number, end: number): void {
    if (end - start >= 2) {
      this.#code = bytes.readUInt16BE(start);
      this.#text = bytes.toString('utf8', start + 2, end);
    }
    this.#socket.destroy();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.ended(this.#code, this.#text);
  }

  #read(length: number): void {
    if (this.#ended) return;
    const carried = this.#carry;
    this.#carry = undefined;
    const bytes = carried === undefined ? chunk : Buffer.concat([carried, chunk.subarray(0, length)]);
    const total = carried === undefined ? length : bytes.length;
    const start = this.#open ? 0 : this.#upgrade(bytes, total);
    const end = this.#open ? walkFrames(bytes, start, total, this) : start;
    if (end < total) this.#carry = Buffer.from(bytes.subarray(end, total));
  }

  /** @returns where frames begin */
  #upgrade(bytes: Buffer, length: number): number {
    const answer = readUpgradeAnswer(bytes, length);
    if (answer.kind === 'partial') return 0;
    if (answer.kind === 'refused') {
      if (answer.status.includes(' 401 ')) this.#code = UNAUTHORIZED;
      this.#text = answer.status;
      this.#socket.destroy();
      return length;
    }
    this.#open = true;
    this.#events.opened();
    return answer.restAt;
  }
}
