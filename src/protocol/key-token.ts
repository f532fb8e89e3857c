import { ProtocolError } from './errors.ts';
import { isKey, isPlainKey, KEY_BYTES_MAX, type Key, parseKey } from './topic.ts';

/**
 * How a key is written in a NATS subject. A subject's token cannot contain every text, so each byte of the key's UTF-8 that is not one of `A-Z a-z 0-9 _ -` is
 * written as `=` and its two hexadecimal digits in capitals: `BRK.B` is `BRK=2EB`, `BTC/USDT` is `BTC=2FUSDT`, `EUR=X` is `EUR=3DX`. Every key has exactly one
 * token, so that the log keeps one latest publication of it.
 */

const TOKEN = /^(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+$/;
/** Characters that encodeURIComponent does not escape, but that a subject's token cannot contain, or that would be ambiguous. */
const UNESCAPED = /[.!~*'()]/g;

/**
 * The last token of the NATS subject of a publication with this key: `feed.<topic>.<encodeKey(key)>`.
 *
 * @param key text of 1–128 bytes of UTF-8 without control characters
 * @returns 1–384 characters of `A-Z a-z 0-9 _ - =`; the key itself if it has only the first 64 of these
 * @throws ProtocolError `bad_key`
 */
export function encodeKey(key: string): string {
  return tokenOfKey(parseKey(key));
}

/**
 * The key of this token.
 *
 * @throws ProtocolError `bad_key` if no key has this token: `encodeKey` would never return it
 */
export function decodeKey(token: string): Key {
  const key = keyOfToken(token);
  if (key === undefined) throw new ProtocolError('bad_key', `${JSON.stringify(token)} is not an encoded key`);
  return key;
}

/** @returns undefined if no key has this token */
export function keyOfToken(token: string): Key | undefined {
  if (isPlainKey(token)) return token;
  if (token.length > 3 * KEY_BYTES_MAX || !TOKEN.test(token)) return undefined;
  let key: string;
  try {
    key = decodeURIComponent(token.replaceAll('=', '%'));
  } catch {
    // The bytes are not UTF-8.
    return undefined;
  }
  // With an unnecessary escape, one key would have two tokens.
  return isKey(key) && tokenOfKey(key) === token ? key : undefined;
}

/** The escapes of URIs, with another sign. Every engine has them, but not every engine of the SDK has a TextEncoder. */
export function tokenOfKey(key: Key): string {
  if (isPlainKey(key)) return key;
  const escaped = encodeURIComponent(key).replace(UNESCAPED, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return escaped.replaceAll('%', '=');
}
