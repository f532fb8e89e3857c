import { createHash } from 'node:crypto';

/**
 * Names one life of a log. `created` alone survives a rollback of the store (measured), so a generation, raised by whoever notices one, is
 * part of it; until something keeps generations it is 0.
 */
export function epochOf(streamCreated: string, generation = 0): string {
  return createHash('sha256').update(`${streamCreated}/${generation}`).digest('base64url').slice(0, 16);
}
