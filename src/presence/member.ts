/**
 * A member of a topic: a user, or an anonymous connection. `id` is `u` and the user, or `c` and the connection's id, so that a user and a connection never
 * have the same id.
 */
export interface Member {
  readonly id: string;
  /** Any JSON value, from the token. If a member has several connections: that of the first one. */
  readonly info?: unknown;
}

/** Approximate memory of a member in a map, without its strings. */
const OVERHEAD_BYTES = 120;

export function memberOf(user: string | null, connectionId: string, info: unknown): Member {
  const id = user === null ? `c${connectionId}` : `u${user}`;
  return info === undefined ? { id } : { id, info };
}

/** A user can come back on another connection. An anonymous client that comes back is another member. */
export function isUser({ id }: Member): boolean {
  return id.startsWith('u');
}

/** Approximate memory of a member. */
export function bytesOf({ id, info }: Member): number {
  return OVERHEAD_BYTES + 2 * id.length + (info === undefined ? 0 : JSON.stringify(info).length);
}
