import { parse as parseLossless } from 'lossless-json';
import type { Codec } from './codec.ts';
import { MESSAGE_DEPTH_MAX } from './depth.ts';
import { ProtocolError } from './errors.ts';
import { scanJson } from './json-scan.ts';
import { stringifyJson } from './json-writer.ts';
import { toWellFormed } from './utf8.ts';
import { toWireValue, WireValueError } from './wire-value.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** JSON in text frames. Bytes are written as base64 text, bigints as text of digits, because most readers would parse a number as a double. */
export const jsonCodec: Codec = {
  encoding: 'json',
  binary: false,
  encode(message) {
    return encoder.encode(stringifyJson(toWireValue(message, WireValueError)));
  },
  decode(bytes) {
    return parseJson(bytes);
  },
};

/**
 * Half surrogate pairs (`"\ud800"` is legal JSON) become U+FFFD: MessagePack's strings are UTF-8, and one such text in a frame would break it for others. An
 * integer beyond ±(2^53 − 1) keeps its digits: as a bigint if 64 bits are enough, otherwise as a string. A number with a fraction or an exponent is a double, or
 * a string as it was written where it is beyond the range of doubles (`1e400`): an infinity is nothing that JSON can say.
 *
 * @throws ProtocolError `bad_message` for text that is not UTF-8, not JSON, or nested deeper than `depthMax`
 */
export function parseJson(bytes: Uint8Array, depthMax = MESSAGE_DEPTH_MAX): unknown {
  const { depth, surrogates, largeNumbers } = scanJson(bytes, depthMax);
  if (depth > depthMax) throw new ProtocolError('bad_message', `nested deeper than ${depthMax} levels`);
  let value: unknown;
  try {
    const text = decoder.decode(bytes);
    value = largeNumbers ? parseLossless(text, undefined, EXACT) : JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError('bad_message', 'not valid JSON', { cause });
  }
  return surrogates ? wellFormed(value) : value;
}

const INTEGER = /^-?\d+$/;
/** A sign, and the digits of 2^64. */
const INTEGER_64_LENGTH_MAX = 21;

/** The other parser accepts what JSON.parse accepts; as there, the last of two equal keys counts. */
const EXACT = { parseNumber: exactNumber, onDuplicateKey: ({ newValue }: { newValue: unknown }) => newValue };

function exactNumber(text: string): number | bigint | string {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  if (!INTEGER.test(text)) return Number.isFinite(value) ? value : text;
  // Before BigInt parses it, because it may have as many digits as a message has bytes.
  if (text.length > INTEGER_64_LENGTH_MAX) return text;
  const integer = BigInt(text);
  const fits = integer === BigInt.asIntN(64, integer) || integer === BigInt.asUintN(64, integer);
  return fits ? integer : text;
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return toWellFormed(value);
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  // fromEntries defines its properties, so a key `__proto__` stays a key.
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [toWellFormed(key), wellFormed(child)]));
}
