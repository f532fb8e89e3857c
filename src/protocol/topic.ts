import { ProtocolError } from './errors.ts';

/** A topic that {@link parseTopic} has accepted: it can be used as a NATS subject unchanged. */
export type Topic = string & { readonly brand: 'Topic' };
/** The key of a publication in a keyed topic: any text, see {@link isKey}. Created by {@link parseKey}. */
export type Key = string & { readonly brand: 'Key' };

export const TOPIC_TOKENS_MAX = 8;
export const TOPIC_BYTES_MAX = 200;
export const TOKEN_BYTES_MAX = 64;
export const KEY_BYTES_MAX = 128;

/** In one expression, because it is asked for each subscribe. */
const TOPIC = /^[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,7}$/;
const PLAIN_KEY = /^[A-Za-z0-9_-]{1,128}$/;
/** Control characters, and half surrogate pairs, which UTF-8 cannot represent. */
const NOT_IN_KEYS = /[\p{Cc}\p{Surrogate}]/u;
/** `scores.epl.match-42`: 1–8 tokens of `[A-Za-z0-9_-]{1,64}` joined by dots, at most 200 bytes. */
export function isTopic(text: unknown): text is Topic {
  return typeof text === 'string' && text.length <= TOPIC_BYTES_MAX && TOPIC.test(text);
}

/** Also `scores.epl.*` and `scores.>`: any token but the first may be `*`, and the last one `>`. */
export function isTopicOrPattern(text: unknown): boolean {
  return isTopic(typeof text === 'string' ? text.replace(/\.(?:\*(?=\.|$)|>$)/g, '.x') : text);
}

/** `AAPL`, `BRK.B`, `BTC/USDT`: text of 1–128 bytes of UTF-8 without control characters. */
export function isKey(text: unknown): text is Key {
  if (typeof text !== 'string') return false;
  if (isPlainKey(text)) return true;
  // The length first, so that a long text is not encoded.
  return text.length > 0 && text.length <= KEY_BYTES_MAX && !NOT_IN_KEYS.test(text) && utf8BytesOf(text) <= KEY_BYTES_MAX;
}

/** Uses only what every engine has, because the SDK also runs where there is no TextEncoder. */
function utf8BytesOf(text: string): number {
  return encodeURIComponent(text).replace(/%../g, '.').length;
}

/** Whether the key is its own token in a NATS subject. See `key-token.ts`. */
export function isPlainKey(text: string): text is Key {
  return PLAIN_KEY.test(text);
}

/** @throws ProtocolError `bad_topic` */
export function parseTopic(text: string): Topic {
  if (isTopic(text)) return text;
  throw new ProtocolError(
    'bad_topic',
    `a topic is 1–${TOPIC_TOKENS_MAX} tokens of [A-Za-z0-9_-]{1,${TOKEN_BYTES_MAX}} joined by dots, at most ${TOPIC_BYTES_MAX} bytes`,
  );
}

/** @throws ProtocolError `bad_key` */
export function parseKey(text: string): Key {
  if (isKey(text)) return text;
  throw new ProtocolError('bad_key', `a key is text of 1–${KEY_BYTES_MAX} bytes of UTF-8 without control characters`);
}

/** The first token of a topic, or of any other name of a feed (see `feed-name.ts`). */
export function namespaceOf(name: string): string {
  const dot = name.indexOf('.');
  const mark = name.indexOf('#');
  // A dot may be in the key of a topic with one token.
  const end = mark !== -1 && (dot === -1 || mark < dot) ? mark : dot;
  return end === -1 ? name : name.slice(0, end);
}

/**
 * Whether a pattern with NATS wildcards matches the topic. `*` is one token, `>` one or more at the end: `scores.>`, `ticks.*`. Of another pattern: whether it
 * matches everything that the other one does.
 */
export function matchesPattern(pattern: string, topic: string): boolean {
  const patternTokens = pattern.split('.');
  const tokens = topic.split('.');
  for (let i = 0; i < patternTokens.length; i++) {
    const expected = patternTokens[i];
    if (expected === '>') return i === patternTokens.length - 1 && tokens.length > i;
    if (i >= tokens.length || tokens[i] === '>') return false;
    if (expected !== '*' && expected !== tokens[i]) return false;
  }
  return tokens.length === patternTokens.length;
}
