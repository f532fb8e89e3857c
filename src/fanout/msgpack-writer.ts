import { type KeptBytes, keepBytes, putBytes } from '../protocol/kept-bytes.ts';

const KEPT_BYTES_MAX = 2_097_152;
/** Shorter texts have a header of one byte. */
const SHORT_TEXT_BYTES = 32;

/** Writes MessagePack into one growing buffer, for frames that are assembled from already encoded parts, which a general encoder cannot do. */
export class MsgpackWriter {
  readonly #initialBytes: number;
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes: number) {
    this.#initialBytes = initialBytes;
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  reset(): void {
    this.#length = 0;
    // One large answer must not keep its memory for the lifetime of the process.
    if (this.#buffer.length > KEPT_BYTES_MAX) this.#buffer = Buffer.allocUnsafeSlow(this.#initialBytes);
  }

  /** A copy of the bytes written so far. */
  copy(): Uint8Array {
    return Buffer.from(this.#written);
  }

  /** The same, for callers that keep them for long. */
  keep(): KeptBytes {
    return keepBytes(this.#written);
  }

  get #written(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  nil(): void {
    this.#byte(0xc0);
  }

  bool(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  /** A safe integer from 0 up. */
  uint(value: number): void {
    if (value < 0x80) this.#byte(value);
    else if (value < 0x1_0000) {
      this.#byte(0xcd);
      this.#length = this.#room(2).writeUInt16BE(value, this.#length);
    } else if (value < 0x1_0000_0000) {
      this.#byte(0xce);
      this.#length = this.#room(4).writeUInt32BE(value, this.#length);
    } else {
      this.#byte(0xcf);
      const buffer = this.#room(8);
      this.#length = buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), this.#length);
      this.#length = buffer.writeUInt32BE(value % 0x1_0000_0000, this.#length);
    }
  }

  float(value: number): void {
    this.#byte(0xcb);
    this.#length = this.#room(8).writeDoubleBE(value, this.#length);
  }

  text(value: string): void {
    if (value.length < SHORT_TEXT_BYTES && this.#shortAscii(value)) return;
    const bytes = Buffer.byteLength(value);
    if (bytes < SHORT_TEXT_BYTES) this.#byte(0xa0 | bytes);
    else if (bytes < 0x100) {
      this.#byte(0xd9);
      this.#byte(bytes);
    } else if (bytes < 0x1_0000) {
      this.#byte(0xda);
      this.#length = this.#room(2).writeUInt16BE(bytes, this.#length);
    } else {
      this.#byte(0xdb);
      this.#length = this.#room(4).writeUInt32BE(bytes, this.#length);
    }
    this.#length += this.#room(bytes).write(value, this.#length);
  }

  /** Nearly all names and topics: two calls out of JavaScript would cost more than their characters. @returns false: it is not ASCII, and not written */
  #shortAscii(value: string): boolean {
    const { length } = value;
    const buffer = this.#room(length + 1);
    const start = this.#length + 1;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      buffer[start + i] = code;
    }
    buffer[start - 1] = 0xa0 | length;
    this.#length = start + length;
    return true;
  }

  arrayHeader(length: number): void {
    this.#containerHeader(length, 0x90, 0xdc);
  }

  mapHeader(length: number): void {
    this.#containerHeader(length, 0x80, 0xde);
  }

  /** One or several already encoded values. */
  raw(bytes: KeptBytes): void {
    putBytes(bytes, this.#room(bytes.length), this.#length);
    this.#length += bytes.length;
  }

  #containerHeader(length: number, fix: number, head16: number): void {
    if (length < 16) this.#byte(fix | length);
    else if (length < 0x1_0000) {
      this.#byte(head16);
      this.#length = this.#room(2).writeUInt16BE(length, this.#length);
    } else {
      this.#byte(head16 + 1);
      this.#length = this.#room(4).writeUInt32BE(length, this.#length);
    }
  }

  #byte(value: number): void {
    this.#room(1)[this.#length++] = value;
  }

  #room(bytes: number): Buffer {
    const needed = this.#length + bytes;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    return this.#buffer;
  }
}
