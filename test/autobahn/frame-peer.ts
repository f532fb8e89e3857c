import net from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { rawUpgrade } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const PING = 9;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface FrameOptions {
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly rsv?: number;
}

/** A frame as a client sends it: masked, whatever else is wrong with it. */
export function frame(opcode: number, payload: string | Uint8Array = '', { fin = true, rsv = 0 }: FrameOptions = {}): Buffer {
  const bytes = Buffer.from(payload as string);
  const { length } = bytes;
  const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = 0x80 | (head.length === 2 ? length : head.length === 4 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  const mask = Buffer.from(Array.from({ length: 4 }, () => Math.floor(Math.random() * 256)));
  return Buffer.concat([head, mask, bytes.map((byte, i) => byte ^ (mask[i % 4] as number))]);
}

/** A WebSocket of which a test says every byte. */
export class FramePeer {
  readonly frames: Frame[] = [];
  /** What the upgrade was answered with. */
  head = '';
  isEnded = false;
  readonly #socket: net.Socket;
  #rest = Buffer.alloc(0);

  private constructor(port: number, lines: readonly string[]) {
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => this.#socket.write(rawUpgrade(lines)));
    this.#socket.on('data', (bytes) => this.#receive(bytes));
    this.#socket.on('error', () => undefined);
    this.#socket.once('close', () => {
      this.isEnded = true;
    });
  }

  /** Resolves when the upgrade has been answered. @param lines further headers */
  static async open(port: number, lines: readonly string[] = []): Promise<FramePeer> {
    const peer = new FramePeer(port, lines);
    await until('the upgrade to be answered', () => peer.head !== '' || peer.isEnded);
    return peer;
  }

  /** @param chop so many bytes a write; undefined: all in one */
  async send(bytes: Uint8Array, chop = bytes.length): Promise<void> {
    for (let at = 0; at < bytes.length && !this.isEnded; at += chop) {
      this.#socket.write(bytes.subarray(at, at + chop));
      if (chop < bytes.length) await setImmediate();
    }
  }

  ended(): Promise<boolean> {
    return until('the connection to end', () => this.isEnded);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (this.head === '') {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#rest.subarray(0, end).toString('latin1');
      this.#rest = this.#rest.subarray(end + 4);
    }
    for (;;) {
      const [first = 0, second = 0] = this.#rest;
      const short = second & 0x7f;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.#rest.length < start) return;
      const length = short < 126 ? short : short === 126 ? this.#rest.readUInt16BE(2) : Number(this.#rest.readBigUInt64BE(2));
      if (this.#rest.length < start + length) return;
      // Pings of the server come at any time.
      if ((first & 15) !== PING) this.frames.push({ opcode: first & 15, payload: this.#rest.subarray(start, start + length) });
      this.#rest = this.#rest.subarray(start + length);
    }
  }
}
