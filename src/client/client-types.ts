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
  /** A server has called this connection. Without a listener it is answered with `no_handler`. Use `onCall` of `@stentor-broadcast/client/calls`. */
  call: CallOfServer;
  /** Errors that belong to no promise and no topic: a token that cannot be refreshed, or a refusal of a command without an answer. */
  error: StentorError;
}

export interface ServerSent {
  readonly data: unknown;
  /** Undefined: it was sent to this connection alone. */
  readonly namespace: string | undefined;
}

export interface CallOfServer {
  readonly method: string;
  readonly data: unknown;
  readonly timeoutMs: number;
  /** Ignored if the connection has ended meanwhile. @returns false if it is larger than what the server accepts: nothing was sent @throws BadValueError */
  answer(message: CallAnswer): boolean;
}

export type CallAnswer =
  | { readonly type: 'result'; readonly data: unknown }
  | { readonly type: 'error'; readonly code: string; readonly message: string };

export interface CallOptions {
  /** Default: 5 s; at most 60 s. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
