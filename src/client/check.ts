import { isTagFilter, isTags, TAGS_EXPECTED } from '../protocol/tags.ts';
import { TIME_MS_MAX } from '../protocol/time-range.ts';
import { isKey, isTopic } from '../protocol/topic.ts';
import { InvalidError } from './errors.ts';

type Rule = readonly [fits: (value: unknown) => boolean, expected: string];

const flag: Rule = [(value) => typeof value === 'boolean', 'true or false'];
const callback: Rule = [(value) => typeof value === 'function', 'a function'];
const whole = (max: number): Rule => [(value) => Number.isInteger(value) && isWithin(value, 1, max), `an integer, 1 to ${max}`];
const time: Rule = [(value) => Number.isInteger(value) && isWithin(value, 0, TIME_MS_MAX), 'milliseconds since 1970'];
const oneOf = (...values: readonly unknown[]): Rule => [(value) => values.includes(value), `one of ${values.join(', ')}`];

/**
 * The fields of commands, and of the options that they are made of, as the server accepts them (`protocol/messages.ts`; a test compares the two). The server
 * counts malformed commands, and closes the connection permanently for too many. So none is sent.
 */
const RULES: Readonly<Record<string, Rule>> = {
  key: [isKey, 'text of 1 to 128 bytes without control characters'],
  idempotencyKey: [(value) => typeof value === 'string' && isWithin(value.length, 1, 128), 'text of 1 to 128 characters'],
  timeoutMs: whole(60_000),
  last: whole(10_000),
  limit: whole(10_000),
  snapshot: flag,
  echo: flag,
  image: flag,
  volatile: flag,
  timestamps: flag,
  presence: flag,
  delta: flag,
  parts: flag,
  tags: [isTags, TAGS_EXPECTED],
  filter: [isTagFilter, '1 to 3 tags'],
  fields: [
    (value) =>
      Array.isArray(value) &&
      isWithin(value.length, 1, 32) &&
      value.every((path) => typeof path === 'string' && isWithin(path.length, 1, 200)),
    '1 to 32 paths of members',
  ],
  maxRateHz: [(value) => isWithin(value, Number.MIN_VALUE, 1000), 'a number above 0, 1000 at most'],
  speed: [(value) => isWithin(value, 0.1, 10), 'a number, 0.1 to 10'],
  since: [isPosition, 'a position, { epoch, offset }'],
  sinceMs: time,
  fromMs: time,
  toMs: time,
  signal: [(value) => value === null || typeof (value as AbortSignal).addEventListener === 'function', 'an AbortSignal'],
  token: [(value) => ['string', 'function'].includes(typeof value), 'text, or a function that gets one'],
  WebSocket: callback,
  unpacker: callback,
  listener: callback,
  bufferMax: [(value) => (value as number) >= 0, 'a number'],
  onFull: oneOf('fail', 'dropOldest', 'dropNewest'),
  'publish.onFull': oneOf('reject', 'dropOldest'),
};

/** `onResync`, `onError` and similar. */
const CALLBACK = /^on[A-Z]/;

/** Checks that the fields that have a rule match it, or are undefined. @throws InvalidError */
export function assertFields(fields: object): void {
  for (const [name, value] of Object.entries(fields)) {
    const rule = RULES[name] ?? (CALLBACK.test(name) ? callback : undefined);
    if (rule !== undefined && value !== undefined && !rule[0](value)) throw unexpected(name, value, rule[1]);
  }
}

/** @param fits `isTopicOrPattern`, where a pattern will do @throws InvalidError */
export function assertTopic(name: unknown, fits = isTopic as (name: unknown) => boolean): void {
  if (!fits(name)) throw unexpected('topic', name, '1–8 tokens of [A-Za-z0-9_-] joined by dots');
}

/** Whether it is a number within the bounds. */
export function isWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}

export function unexpected(name: string, value: unknown, expected: string): InvalidError {
  return new InvalidError(`${name} ${show(value)}: expected ${expected}`);
}

/** Texts are shown in quotes, so that a text such as "1" is distinguishable from a number. */
function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : typeof value === 'object' && value !== null ? 'object' : String(value);
}

function isPosition(value: unknown): boolean {
  const { epoch, offset } = (value ?? {}) as Record<string, unknown>;
  return typeof epoch === 'string' && epoch.length <= 64 && Number.isSafeInteger(offset) && (offset as number) >= 0;
}
