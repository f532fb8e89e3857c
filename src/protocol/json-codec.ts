import type { Codec } from './codec.ts';
import { ProtocolError } from './errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Nesting past this is refused: what is deeper could not be encoded again without risking the stack. */
export const DEPTH_MAX = 64;

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

/** @throws ProtocolError `bad_message` for text that is no UTF-8, no JSON, or nested deeper than {@link DEPTH_MAX} */
export function parseJson(bytes: Uint8Array): unknown {
  if (isTooDeep(bytes)) throw new ProtocolError('bad_message', `nested deeper than ${DEPTH_MAX} levels`);
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new ProtocolError('bad_message', 'not valid JSON', { cause });
  }
}

/** Counts brackets outside strings; runs over bytes, so a hostile text never reaches the parser's recursion. */
function isTooDeep(bytes: Uint8Array): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > DEPTH_MAX) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}

function replaceUnrepresentable(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toBase64(value);
  // A Buffer has already been turned into {type: 'Buffer', data} by its toJSON before the replacer sees it.
  if (isSerializedBuffer(value)) return toBase64(Uint8Array.from(value.data));
  return value;
}

function isSerializedBuffer(value: unknown): value is { data: number[] } {
  if (typeof value !== 'object' || value === null) return false;
  const candidate = value as { type?: unknown; data?: unknown };
  return candidate.type === 'Buffer' && Array.isArray(candidate.data) && Object.keys(value).length === 2;
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x2000) text += String.fromCharCode(...bytes.subarray(i, i + 0x2000));
  return btoa(text);
}
