/**
 * Who is there: a user, or a connection where it is anonymous. `id` is `u` and the user, or `c` and the connection's id, so that no user can be taken for a
 * connection.
 */
export interface Member {
  readonly id: string;
  /** From the token: any JSON value. Of a member with several connections: that of the first one that came. */
  readonly info?: unknown;
}

/** About what a member takes in a map of members, beside its texts. */
const OVERHEAD_BYTES = 120;

export function memberOf(user: string | null, connectionId: string, info: unknown): Member {
  const id = user === null ? `c${connectionId}` : `u${user}`;
  return info === undefined ? { id } : { id, info };
}

/** A user can come back on another connection; an anonymous client comes back as another member. */
export function isUser({ id }: Member): boolean {
  return id.startsWith('u');
}

/** About what it takes in memory. */
export function bytesOf({ id, info }: Member): number {
  return OVERHEAD_BYTES + 2 * id.length + (info === undefined ? 0 : JSON.stringify(info).length);
}
