import { ProtocolError } from './errors.ts';
import { TOKEN_BYTES_MAX, type Topic } from './topic.ts';
import { toWellFormed } from './utf8.ts';

/**
 * How a user is written in a topic: `user.<token>`. Characters that are not allowed in a token are escaped. `A-Z a-z 0-9 _ -` stay as they are.
 * Each escape begins with `__`: `.` is `__d`, `@` is `__a`, `|` is `__p`, `:` is `__c`. Any other byte of the UTF-8 is `__x` and two upper-case hexadecimal
 * digits. A `_` before another `_`, or before an escape, is `__u`. So `ann_7` is `ann_7`, and `ann@example.org` is `ann__aexample__dorg`.
 */

/** The namespace with a topic for each user. */
export const USER_NAMESPACE = 'user';

const SHORT: Readonly<Record<string, string>> = { '.': 'd', '@': 'a', '|': 'p', ':': 'c', _: 'u' };
const LONG: Readonly<Record<string, string>> = Object.fromEntries(Object.entries(SHORT).map(([character, code]) => [code, character]));
const PLAIN = /^[A-Za-z0-9-]$/;
/** A user that needs no escapes. */
const PLAIN_USER = /^[A-Za-z0-9-]*(?:_[A-Za-z0-9-]+)*_?$/;
const TOKEN = /^(?:[A-Za-z0-9-]|__[dapcu]|__x[0-9A-F]{2}|_(?!_))+$/;
const ESCAPE = /__(?:x([0-9A-F]{2})|([dapcu]))/g;

/**
 * The token of the user's topic.
 *
 * @param user a token's `sub`; lone surrogates are U+FFFD
 * @returns undefined if it would be longer than 64 characters, the maximum of a token: then the user has no topic
 */
export function tokenOfUser(user: string): string | undefined {
  if (user === '' || user.length > TOKEN_BYTES_MAX) return undefined;
  if (PLAIN_USER.test(user)) return user;
  let token = '';
  // From the end, since a `_` depends on what follows it.
  for (const character of [...toWellFormed(user)].reverse()) token = `${escaped(character, token)}${token}`;
  return token.length <= TOKEN_BYTES_MAX ? token : undefined;
}

/** @throws ProtocolError `bad_topic` if the token would be empty or longer than 64 characters, escapes included */
export function encodeUser(user: string): string {
  const token = tokenOfUser(user);
  if (token === undefined) throw new ProtocolError('bad_topic', `a user's token has 1–${TOKEN_BYTES_MAX} characters, escapes included`);
  return token;
}

/** The user with this token. @throws ProtocolError `bad_topic` if {@link encodeUser} never returns this token */
export function decodeUser(token: string): string {
  const user = userOfToken(token);
  if (user === undefined) throw new ProtocolError('bad_topic', `${JSON.stringify(token)} is no encoded user`);
  return user;
}

/** The user's own topic. Undefined: the user has none. */
export function userTopicOf(user: string): Topic | undefined {
  const token = tokenOfUser(user);
  return token === undefined ? undefined : (`${USER_NAMESPACE}.${token}` as Topic);
}

function userOfToken(token: string): string | undefined {
  if (token.length > TOKEN_BYTES_MAX || !TOKEN.test(token)) return undefined;
  const uri = token.replace(ESCAPE, (_, hex?: string, code?: string) => (code === undefined ? `%${hex}` : (LONG[code] as string)));
  try {
    const user = decodeURIComponent(uri);
    // Unnecessary escapes are refused, so that each user has exactly one token.
    return tokenOfUser(user) === token ? user : undefined;
  } catch {
    // The bytes are not valid UTF-8.
    return undefined;
  }
}

function escaped(character: string, next: string): string {
  if (PLAIN.test(character) || (character === '_' && !next.startsWith('_'))) return character;
  const short = SHORT[character];
  if (short !== undefined) return `__${short}`;
  // encodeURIComponent exists in every engine, TextEncoder does not. Characters that it leaves unchanged are escaped here.
  const uri = encodeURIComponent(character);
  const bytes = uri === character ? `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}` : uri;
  return bytes.replaceAll('%', '__x');
}
