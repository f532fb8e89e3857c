import { ProtocolError } from '../protocol/errors.ts';
import { packMsgpack } from '../protocol/msgpack-codec.ts';
import { assertIdempotencyKeyFits } from '../protocol/publish-rules.ts';
import { isTags, TAGS_EXPECTED, type Tags } from '../protocol/tags.ts';
import { TIME_MS_MAX } from '../protocol/time-range.ts';
import { parseKey, parseTopic } from '../protocol/topic.ts';
import { toWireValue } from '../protocol/wire-value.ts';
import type { ServerDraft } from './publisher.ts';

/** The same as in the HTTP API. */
const CONNECTION_ID_LENGTH_MAX = 128;

/** What a program publishes through the node that it embeds. */
export interface ProgramPublication {
  readonly topic: string;
  /** Required in keyed topics, not allowed in others. */
  readonly key?: string | undefined;
  /** Any value that the SDK could send. It is stored as the namespace's `payload` says; `bytes` accepts a view or a buffer. */
  readonly data: unknown;
  /** In a document namespace: `data` is the whole document, not a merge patch. */
  readonly image?: boolean | undefined;
  /** Publications to a durable topic with the same key are stored once, within the time that the log remembers message ids. */
  readonly idempotencyKey?: string | undefined;
  /** The id of the connection on whose behalf it is published. It does not get the publication: to all but the sender. */
  readonly exceptConnection?: string | undefined;
  /** True: it is not kept, and subscribers whose sockets do not keep up now do not get it. Only in ephemeral namespaces. */
  readonly volatile?: boolean | undefined;
  /** When it happened, milliseconds since 1970: subscribers get it as `meta.eventAtMs`. */
  readonly eventAtMs?: number | undefined;
  /** By which subscribers filter: 8 at most. Names of `a-z 0-9 _ -`, printable ASCII of 64 characters at most. Subscribers get them as `meta.tags`. */
  readonly tags?: Tags | undefined;
}

/** @throws ProtocolError `bad_topic`, `bad_key`, `bad_payload` for a value that cannot be encoded, `bad_message` for an invalid option */
export function toDraft(publication: ProgramPublication): ServerDraft {
  const { topic, key, data, image, idempotencyKey, exceptConnection, volatile, eventAtMs, tags } = publication;
  assertIdempotencyKeyFits(idempotencyKey);
  assertConnectionIdFits(exceptConnection);
  if (volatile !== undefined && typeof volatile !== 'boolean') throw new ProtocolError('bad_message', 'volatile: expected true or false');
  assertTimeFits(eventAtMs);
  if (tags !== undefined && !isTags(tags)) throw new ProtocolError('bad_message', `tags: expected ${TAGS_EXPECTED}`);
  return {
    topic: parseTopic(topic),
    key: key === undefined ? null : parseKey(key),
    data: packMsgpack(toWireValue(data, BadPayload)),
    exceptConnection,
    ...(volatile && { volatile }),
    ...(image === true && { image }),
    ...(eventAtMs !== undefined && { eventAtMs: Math.floor(eventAtMs) }),
    ...(tags !== undefined && { tags: { ...tags } }),
  };
}

function assertTimeFits(ms: unknown): void {
  if (ms === undefined || (typeof ms === 'number' && ms >= 0 && ms <= TIME_MS_MAX)) return;
  throw new ProtocolError('bad_message', `eventAtMs: expected milliseconds since 1970, at most ${TIME_MS_MAX}`);
}

function assertConnectionIdFits(id: unknown): void {
  if (id === undefined || (typeof id === 'string' && id !== '' && id.length <= CONNECTION_ID_LENGTH_MAX)) return;
  throw new ProtocolError('bad_message', `exceptConnection: expected text of 1–${CONNECTION_ID_LENGTH_MAX} characters`);
}

class BadPayload extends ProtocolError {
  constructor(message: string, options: ErrorOptions) {
    super('bad_payload', message, options);
  }
}
