import { createHash } from 'node:crypto';
import { tokenOfUser } from '../protocol/user-topic.ts';

/** A token of a subject for any name, as of a user: its encoding, or a digest where that would be too long. The same name always has the same token. */
export function nameToken(name: string): string {
  return tokenOfUser(name) ?? `__h${createHash('sha256').update(name).digest('base64url')}`;
}
