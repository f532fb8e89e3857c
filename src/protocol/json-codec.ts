import type { Codec } from './codec.ts';
import { MESSAGE_DEPTH_MAX } from './depth.ts';
import { ProtocolError } from './errors.ts';
import { toWellFormed } from './utf8.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * JSON in text frames. Bytes (`Uint8Array`) become base64 strings; integers beyond 2^53 become strings, since a JSON number would lose digits.
 */
export const jsonCodec: Codec = {
  encoding: 'json',
  binary: false,
  encode(message) {
    return encoder.encode(stringifyJson(message));
  },
  decode(bytes) {
    return parseJson(bytes);
  },
};

export function stringifyJson(value: unknown): string {
  return JSON.stringify(value, replaceUnrepresentable) ?? 'null';
}

/**
 * Half surrogate pairs (`"\ud800"` is legal JSON) become U+FFFD: MessagePack's strings are UTF-8, and one such text in a frame would break it for others.
 *
 * @throws ProtocolError `bad_message` for text that is no UTF-8, no JSON, or nested deeper than `depthMax`
 */
export function parseJson(bytes: Uint8Array, depthMax = MESSAGE_DEPTH_MAX): unknown {
  const { depth, surrogates } = scanJson(bytes, depthMax);
  if (depth > depthMax) throw new ProtocolError('bad_message', `nested deeper than ${depthMax} levels`);
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new ProtocolError('bad_message', 'not valid JSON', { cause });
  }
  return surrogates ? wellFormed(value) : value;
}

/** Counts brackets outside strings, over bytes, so a hostile text never reaches the parser's recursion; and sees whether any surrogate is escaped. */
function scanJson(bytes: Uint8Array, depthMax: number): { depth: number; surrogates: boolean } {
  let depth = 0;
  let inString = false;
  let surrogates = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === BACKSLASH) surrogates ||= isSurrogateEscape(bytes, ++i);
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > depthMax) break;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return { depth, surrogates };
}

const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** `ud8…` to `udf…`, in either case, at `at`. */
function isSurrogateEscape(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x75 && ((bytes[at + 1] ?? 0) | 0x20) === 0x64 && (bytes[at + 2] ?? 0) >= 0x38;
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return toWellFormed(value);
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  // fromEntries defines its properties, so a key `__proto__` stays a key.
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [toWellFormed(key), wellFormed(child)]));
}

/** A Buffer's toJSON has been at it before the replacer sees the value, so what it was is asked of its holder. */
function replaceUnrepresentable(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  const original = (this as Record<string, unknown>)[key];
  return original instanceof Uint8Array ? toBase64(original) : value;
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x2000) text += String.fromCharCode(...bytes.subarray(i, i + 0x2000));
  return btoa(text);
}
