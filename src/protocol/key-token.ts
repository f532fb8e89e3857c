import { ProtocolError } from './errors.ts';
import { isKey, isPlainKey, KEY_BYTES_MAX, type Key, parseKey } from './topic.ts';

/**
 * How a key lies in a NATS subject. A subject's token cannot hold every text, so each byte of the key's UTF-8 that is not one of `A-Z a-z 0-9 _ -` is
 * written as `=` and its two hexadecimal digits, capitals: `BRK.B` is `BRK=2EB`, `BTC/USDT` is `BTC=2FUSDT`, `EUR=X` is `EUR=3DX`. Every key has
 * exactly one token, so that the log keeps one latest publication of it.
 */

const TOKEN = /^(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+$/;
const BYTES = /=..|./g;
/** Made when first needed: not every platform that the SDK runs on has them. */
let encoder: InstanceType<typeof TextEncoder> | undefined;
let decoder: InstanceType<typeof TextDecoder> | undefined;

/**
 * The last token of the NATS subject of a publication with this key: `feed.<topic>.<encodeKey(key)>`.
 *
 * @param key text of 1–128 bytes of UTF-8 without control characters
 * @returns 1–384 characters of `A-Z a-z 0-9 _ - =`; the key itself where it has none but the first 64 of these
 * @throws ProtocolError `bad_key`
 */
export function encodeKey(key: string): string {
  const parsed = parseKey(key);
  encoder ??= new TextEncoder();
  return isPlainKey(parsed) ? parsed : escapeBytes(encoder.encode(parsed));
}

/**
 * The key whose token this is.
 *
 * @throws ProtocolError `bad_key` when no key has this token: `encodeKey` would never return it
 */
export function decodeKey(token: string): Key {
  const key = keyOfToken(token);
  if (key === undefined) throw new ProtocolError('bad_key', `${JSON.stringify(token)} is no encoded key`);
  return key;
}

/** @returns undefined when no key has this token */
export function keyOfToken(token: string): Key | undefined {
  if (isPlainKey(token)) return token;
  if (token.length > 3 * KEY_BYTES_MAX || !TOKEN.test(token)) return undefined;
  const bytes = Uint8Array.from(token.match(BYTES) ?? [], byteOf);
  let key: string;
  try {
    decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    key = decoder.decode(bytes);
  } catch {
    return undefined;
  }
  // An escape that was not needed would make two tokens of one key.
  return isKey(key) && escapeBytes(bytes) === token ? key : undefined;
}

function byteOf(text: string): number {
  return text.length === 1 ? text.charCodeAt(0) : Number.parseInt(text.slice(1), 16);
}

function escapeBytes(bytes: Uint8Array): string {
  let token = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    token += isPlainKey(character) ? character : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return token;
}
