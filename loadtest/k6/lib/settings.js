/** What the scripts take from `k6 run -e NAME=value`. */
const env = __ENV;

export const URL = env.URL || 'ws://127.0.0.1:8080/ws';
/** `msgpack` or `json`. */
export const ENCODING = env.ENCODING || 'msgpack';
/** A topic of a public, durable, unkeyed namespace in which clients publish: load.* with node.yaml. */
export const TOPIC = env.TOPIC || 'load.k6';
/** The node's HS256 secret, for tokens of our own; or TOKEN, one for all. */
export const SECRET = env.SECRET || '';
export const TOKEN = env.TOKEN || '';

/** Connections are shared out over virtual users, since each of those costs k6 megabytes. */
export const CONNECTIONS = integer('CONNECTIONS', 100);
export const CONNECTIONS_PER_VU = integer('CONNECTIONS_PER_VU', 20);
export const VUS = Math.max(1, Math.ceil(CONNECTIONS / CONNECTIONS_PER_VU));
export const DURATION_S = integer('DURATION_S', 20);
/** Publications a second, all publishers together. */
export const RATE = integer('RATE', 20);
/** Of `watchlist.js`: topics `<TOPIC>-0`, `<TOPIC>-1`, …, and how many of them each connection follows. */
export const TOPICS = integer('TOPICS', 100);
export const TOPICS_PER_CONNECTION = Math.min(TOPICS, integer('TOPICS_PER_CONNECTION', 20));
export const PAYLOAD_BYTES = integer('PAYLOAD_BYTES', 100);

/** How many connections this virtual user holds: the last one the rest. @param {number} vu from 1 */
export function connectionsOf(vu) {
  return Math.min(CONNECTIONS_PER_VU, CONNECTIONS - (vu - 1) * CONNECTIONS_PER_VU);
}

function integer(name, fallback) {
  const value = Number(env[name] || fallback);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name}=${env[name]}: expected a whole number above 0`);
  return value;
}
