import type { StentorError } from './errors.ts';
import type { ConnectionState, Feed } from './state.ts';
import type { Stats } from './stats.ts';

export interface ClientEvents {
  state: ConnectionState;
  /** The connected server has lost its broker, or has it back. */
  feed: Feed;
  stats: Stats;
  /** A server sent it to this connection, or to every connection that is subscribed in a namespace. */
  message: ServerSent;
  /** Errors that belong to no promise and no topic: a token that cannot be refreshed, or a refusal of a command without an answer. */
  error: StentorError;
}

export interface ServerSent {
  readonly data: unknown;
  /** Undefined: it was sent to this connection alone. */
  readonly namespace: string | undefined;
}

export interface CallOptions {
  /** Default: 5 s; at most 60 s. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
