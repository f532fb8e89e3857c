import { MESSAGE_DEPTH_MAX } from './depth.ts';
import { ProtocolError } from './errors.ts';
import { isUtf8 } from './utf8.ts';

export interface ScanOptions {
  /** Index of the value's first byte. */
  readonly start?: number;
  readonly depthMax?: number;
  /** Refuse strings that are not UTF-8. Required if the bytes are inserted into a frame; a decoder would replace invalid parts with U+FFFD. */
  readonly utf8?: boolean;
}

/**
 * Walks one MessagePack value without building anything and returns where it ends.
 *
 * Decoders allocate what a header declares (`new Array(length)`): five bytes can request gigabytes. This walk compares every declared length with the bytes
 * that are there. It refuses extension types other than the timestamp, map keys that are not strings, and too deep nesting. So the bytes are safe for a
 * decoder, and safe to insert into a frame undecoded.
 *
 * @returns the index just after the value
 * @throws ProtocolError `bad_message`
 */
export function scanMsgpack(bytes: Uint8Array, options: ScanOptions = {}): number {
  return new Scanner(bytes, options).value(0);
}

/** Checks that `bytes` is exactly one MessagePack value. @throws ProtocolError `bad_message` */
export function assertMsgpack(bytes: Uint8Array, options: ScanOptions = {}): void {
  if (scanMsgpack(bytes, options) !== bytes.length) throw new ProtocolError('bad_message', 'bytes after the MessagePack value');
}

const TIMESTAMP_EXT_TYPE = 0xff;
/** The range of a Date, in seconds on either side of 1970. */
const DATE_SECONDS_MAX = 8.64e12;

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #depthMax: number;
  readonly #utf8: boolean;
  #at: number;

  constructor(bytes: Uint8Array, { start = 0, depthMax = MESSAGE_DEPTH_MAX, utf8 = true }: ScanOptions) {
    this.#bytes = bytes;
    this.#depthMax = depthMax;
    this.#utf8 = utf8;
    this.#at = start;
  }

  value(depth: number): number {
    const head = this.#uint(1);
    if (head <= 0x7f || head >= 0xe0) return this.#at;
    if (head <= 0x8f) return this.#map(head & 0x0f, depth);
    if (head <= 0x9f) return this.#array(head & 0x0f, depth);
    if (head <= 0xbf) return this.#text(head & 0x1f);
    switch (head) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return this.#at;
      case 0xc4:
        return this.#skip(this.#uint(1));
      case 0xc5:
        return this.#skip(this.#uint(2));
      case 0xc6:
        return this.#skip(this.#uint(4));
      case 0xd9:
        return this.#text(this.#uint(1));
      case 0xda:
        return this.#text(this.#uint(2));
      case 0xdb:
        return this.#text(this.#uint(4));
      case 0xc7:
        return this.#ext(this.#uint(1));
      case 0xd6:
        return this.#ext(4);
      case 0xd7:
        return this.#ext(8);
      case 0xcc:
      case 0xd0:
        return this.#skip(1);
      case 0xcd:
      case 0xd1:
        return this.#skip(2);
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.#skip(4);
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.#skip(8);
      case 0xdc:
        return this.#array(this.#uint(2), depth);
      case 0xdd:
        return this.#array(this.#uint(4), depth);
      case 0xde:
        return this.#map(this.#uint(2), depth);
      case 0xdf:
        return this.#map(this.#uint(4), depth);
      default:
        return refuse(`MessagePack head byte 0x${head.toString(16)} is not allowed`);
    }
  }

  #array(length: number, depth: number): number {
    this.#enter(length, depth);
    for (let i = 0; i < length; i++) this.value(depth + 1);
    return this.#at;
  }

  #map(length: number, depth: number): number {
    this.#enter(length * 2, depth);
    for (let i = 0; i < length; i++) {
      const head = this.#bytes[this.#at] ?? 0;
      const isString = (head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb);
      if (!isString) refuse('a MessagePack map key is not a string');
      this.value(depth + 1);
      this.value(depth + 1);
    }
    return this.#at;
  }

  /** Every child takes at least one byte, so a container that declares more children than bytes left is invalid. */
  #enter(children: number, depth: number): void {
    if (depth >= this.#depthMax) refuse(`nested deeper than ${this.#depthMax} levels`);
    if (children > this.#bytes.length - this.#at) refuse('a MessagePack length exceeds the message');
  }

  #ext(length: number): number {
    if (this.#uint(1) !== TIMESTAMP_EXT_TYPE) refuse('MessagePack extension types are not allowed');
    if (length !== 4 && length !== 8 && length !== 12) refuse('a MessagePack timestamp has 4, 8 or 12 bytes');
    const start = this.#at;
    this.#skip(length);
    // An invalid Date would be encoded as something that this scan refuses.
    if (length === 12 && Math.abs(this.#int64(start + 4)) > DATE_SECONDS_MAX) refuse('a MessagePack timestamp is out of range');
    return this.#at;
  }

  #text(length: number): number {
    const start = this.#at;
    this.#skip(length);
    if (this.#utf8 && !isUtf8(this.#bytes, start, this.#at)) refuse('a MessagePack string is not UTF-8');
    return this.#at;
  }

  #int64(at: number): number {
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 8);
    return view.getInt32(0) * 0x1_0000_0000 + view.getUint32(4);
  }

  #skip(length: number): number {
    if (length > this.#bytes.length - this.#at) refuse('a MessagePack length exceeds the message');
    this.#at += length;
    return this.#at;
  }

  #uint(size: 1 | 2 | 4): number {
    if (size > this.#bytes.length - this.#at) refuse('the MessagePack value is cut short');
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (this.#bytes[this.#at++] as number);
    return value;
  }
}

function refuse(message: string): never {
  throw new ProtocolError('bad_message', message);
}
