import { createHash } from 'node:crypto';
import type { Topic } from '../protocol/topic.ts';

/** 144 bits: no two ids of a dedupe window meet by chance. */
const ID_CHARS = 24;

/**
 * The dedupe id of a client's publish. JetStream dedupes per stream and ignores the subject (measured), so a bare key that is used again on
 * another topic, or by another user, would swallow a message: both are part of the id.
 */
export function messageId(topic: Topic, user: string, idempotencyKey: string): string {
  // As JSON, since joining with any separator would let two triples meet.
  const triple = JSON.stringify([topic, user, idempotencyKey]);
  return createHash('sha256').update(triple).digest('base64url').slice(0, ID_CHARS);
}
