import type { StentorError } from './errors.ts';
import type { ConnectionState, Feed } from './state.ts';
import type { Stats } from './stats.ts';

export interface ClientEvents {
  state: ConnectionState;
  /** The connection's server has lost its broker, or has got it back. */
  feed: Feed;
  stats: Stats;
  /** What no promise and no topic tells: a token that cannot be refreshed, a refusal of something that nobody waits for. */
  error: StentorError;
}

export interface CallOptions {
  /** Default: 5 s; 60 s at most. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
