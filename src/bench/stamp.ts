/**
 * The stamp that every publication carries: `@#~!`, key (5 digits), sequence (10), scheduled send time in µs (16). All of it is ASCII, so
 * JSON, MessagePack and every peer's envelope carry it unchanged, and a client finds it by its mark without decoding anything.
 * Four bytes of mark, since two turn up in a MessagePack offset now and then (16,419 is 0x4023).
 */
export const STAMP_BYTES = 35;
export const MARK = Buffer.from('@#~!');
const [MARK_0, MARK_1, MARK_2, MARK_3] = MARK as unknown as [number, number, number, number];

const KEY_AT = 4;
const SEQUENCE_AT = 9;
const TIME_AT = 19;
const KEY_DIGITS = 5;
const SEQUENCE_DIGITS = 10;
const TIME_DIGITS = 16;

/** Keys, and the numbers of a watchlist's topics, fit five digits. */
export const KEYS_MAX = 100_000;
const BEFORE = '{"m":"';
const BETWEEN = '","p":"';
const AFTER = '"}';
export const PAYLOAD_BYTES_MIN = BEFORE.length + STAMP_BYTES + BETWEEN.length + AFTER.length;

/** Two stamps are so far apart at least: stamp and padding stay in every encoding, JSON's quotes and names around them may not. */
export function stampDistanceMin(payloadBytes: number): number {
  return STAMP_BYTES + payloadBytes - PAYLOAD_BYTES_MIN;
}

/** Makes JSON payloads of one size: an object that holds a stamp and padding. */
export class PayloadMaker {
  readonly #template: Buffer;

  constructor(payloadBytes: number) {
    if (payloadBytes < PAYLOAD_BYTES_MIN) throw new RangeError(`a payload has ${PAYLOAD_BYTES_MIN} bytes at least, not ${payloadBytes}`);
    const stamp = MARK.toString() + '0'.repeat(STAMP_BYTES - MARK.length);
    this.#template = Buffer.from(BEFORE + stamp + BETWEEN + 'x'.repeat(payloadBytes - PAYLOAD_BYTES_MIN) + AFTER, 'latin1');
  }

  /** A new buffer each time, since a bus may keep what it was given. */
  make(key: number, sequence: number, timeUs: number): Buffer {
    const payload = Buffer.from(this.#template);
    const at = BEFORE.length;
    writeDigits(payload, at + KEY_AT, KEY_DIGITS, key);
    writeDigits(payload, at + SEQUENCE_AT, SEQUENCE_DIGITS, sequence);
    writeDigits(payload, at + TIME_AT, TIME_DIGITS, Math.round(timeUs));
    return payload;
  }
}

export function isMark(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === MARK_0 && bytes[at + 1] === MARK_1 && bytes[at + 2] === MARK_2 && bytes[at + 3] === MARK_3;
}

/** @param at index of the stamp's first byte, here and below */
export function keyAt(bytes: Uint8Array, at: number): number {
  return readDigits(bytes, at + KEY_AT, KEY_DIGITS);
}

export function sequenceAt(bytes: Uint8Array, at: number): number {
  return readDigits(bytes, at + SEQUENCE_AT, SEQUENCE_DIGITS);
}

export function timeUsAt(bytes: Uint8Array, at: number): number {
  return readDigits(bytes, at + TIME_AT, TIME_DIGITS);
}

function writeDigits(bytes: Uint8Array, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    bytes[i] = 0x30 + (rest - next * 10);
    rest = next;
  }
}

function readDigits(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) value = value * 10 + ((bytes[i] as number) - 0x30);
  return value;
}
