import { ProtocolError } from '../protocol/errors.ts';
import { packMsgpack } from '../protocol/msgpack-codec.ts';
import { assertIdempotencyKeyFits } from '../protocol/publish-rules.ts';
import { parseKey, parseTopic } from '../protocol/topic.ts';
import { toWireValue } from '../protocol/wire-value.ts';
import type { Draft } from './publisher.ts';

/** What a program publishes through the node that it embeds. */
export interface ProgramPublication {
  readonly topic: string;
  /** Required in keyed topics, not allowed in others. */
  readonly key?: string | undefined;
  /** Any value that the SDK could send. It is stored as the namespace's `payload` says; `bytes` accepts a view or a buffer. */
  readonly data: unknown;
  /** Publications to a durable topic with the same key are stored once, within the time that the log remembers message ids. */
  readonly idempotencyKey?: string | undefined;
}

/** @throws ProtocolError `bad_topic`, `bad_key`, `bad_payload` for a value that cannot be encoded, `bad_message` for an invalid idempotency key */
export function toDraft({ topic, key, data, idempotencyKey }: ProgramPublication): Draft {
  assertIdempotencyKeyFits(idempotencyKey);
  return {
    topic: parseTopic(topic),
    key: key === undefined ? null : parseKey(key),
    data: packMsgpack(toWireValue(data, BadPayload)),
  };
}

class BadPayload extends ProtocolError {
  constructor(message: string, options: ErrorOptions) {
    super('bad_payload', message, options);
  }
}
