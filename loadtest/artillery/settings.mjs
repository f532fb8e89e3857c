import { createHmac } from 'node:crypto';

/** What the scripts take from the environment. */
const env = process.env;

/** `msgpack` or `json`. */
export const ENCODING = env.ENCODING || 'msgpack';
/** A topic of a public, durable, unkeyed namespace in which clients publish: load.* with ../k6/node.yaml. */
export const TOPIC = env.TOPIC || 'load.artillery';
/** Publications a second, of each publisher. */
export const RATE = number('RATE', 20);
export const DURATION_S = number('DURATION_S', 20);
/** Of `watchlist.yaml`: topics `<TOPIC>-0`, `<TOPIC>-1`, …, and how many of them each client follows. */
const TOPICS = number('TOPICS', 40);
export const TOPICS_PER_CLIENT = Math.min(TOPICS, number('TOPICS_PER_CLIENT', 20));
export const WATCHLIST = Array.from({ length: TOPICS }, (_, place) => `${TOPIC}-${place}`);
export const PAYLOAD_BYTES = number('PAYLOAD_BYTES', 100);
export const AWAY_S = number('AWAY_S', 2);

const VALID_S = 3600;

/** TOKEN, else one signed with SECRET, the node's HS256 secret; undefined where neither is set. */
export function tokenFor(user) {
  if (env.TOKEN) return env.TOKEN;
  if (!env.SECRET) return undefined;
  const issuedAt = Math.floor(Date.now() / 1000);
  const claims = { sub: user, iat: issuedAt, exp: issuedAt + VALID_S, stentor: { subscribe: ['>'], publish: ['>'] } };
  const unsigned = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${unsigned}.${createHmac('sha256', env.SECRET).update(unsigned).digest('base64url')}`;
}

function number(name, fallback) {
  const value = Number(env[name] || fallback);
  if (!(value > 0)) throw new Error(`${name}=${env[name]}: expected a number above 0`);
  return value;
}
