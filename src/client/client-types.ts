import type { StentorError } from './errors.ts';
import type { ConnectionState, Feed } from './state.ts';
import type { Stats } from './stats.ts';

export interface ClientEvents {
  state: ConnectionState;
  /** The connected server has lost its broker, or has it back. */
  feed: Feed;
  stats: Stats;
  /** Errors that belong to no promise and no topic: a token that cannot be refreshed, or a refusal of a command without an answer. */
  error: StentorError;
}

export interface CallOptions {
  /** Default: 5 s; at most 60 s. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
