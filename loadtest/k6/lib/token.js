import crypto from 'k6/crypto';
import encoding from 'k6/encoding';
import { SECRET, TOKEN } from './settings.js';

const VALID_S = 3600;

/** A token for this user: TOKEN, else one signed with SECRET; undefined where neither is given, and publishing is not asked for. */
export function tokenFor(user) {
  if (TOKEN !== '') return TOKEN;
  if (SECRET === '') return undefined;
  const issuedAt = Math.floor(Date.now() / 1000);
  const claims = { sub: user, iat: issuedAt, exp: issuedAt + VALID_S, stentor: { subscribe: ['>'], publish: ['>'] } };
  const unsigned = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => encoding.b64encode(JSON.stringify(part), 'rawurl')).join('.');
  return `${unsigned}.${crypto.hmac('sha256', SECRET, unsigned, 'base64rawurl')}`;
}
