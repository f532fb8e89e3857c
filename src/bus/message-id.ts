import { createHash, createHmac } from 'node:crypto';
import type { Topic } from '../protocol/topic.ts';

/** 144 bits, so that two ids of a deduplication window are never equal by chance. */
const ID_CHARS = 24;

/**
 * The deduplication id of a client's publish. JetStream deduplicates per stream and ignores the subject (measured). So if only the key counted, the same key on
 * another topic, or of another user, would drop a message. Topic and user are therefore part of the id.
 *
 * @param secret of `nats.originSecrets`: nobody else can then use up the id beforehand, which would make the client's publish a duplicate
 */
export function messageId(topic: Topic, user: string, idempotencyKey: string, secret?: string): string {
  // As JSON, because with any separator two different triples could give the same text.
  const triple = JSON.stringify([topic, user, idempotencyKey]);
  const hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  return hash.update(triple).digest('base64url').slice(0, ID_CHARS);
}
