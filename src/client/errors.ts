import type { ErrorCode } from '../protocol/errors.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Reason } from './state.ts';

/** The base class of all errors that this library rejects with or reports. `code` is stable; programs should compare it. */
export abstract class StentorError extends Error {
  abstract readonly code: string;
  /** Whether the same action may succeed later. */
  readonly retryable: boolean = false;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The server refused a command; `code` is the protocol's, or that of the service that a call went to. */
export class CommandError extends StentorError {
  readonly code: ErrorCode | (string & {});
  override readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor({ code, message, retryable, retryAfterMs }: Pick<ServerMessage<'error'>, 'code' | 'message' | 'retryable' | 'retryAfterMs'>) {
    super(`${code}: ${message}`);
    this.name = 'CommandError';
    this.code = code;
    this.retryable = retryable;
    // Timers are set with it.
    this.retryAfterMs = Number.isFinite(retryAfterMs) ? retryAfterMs : undefined;
  }
}

/** No answer in time. A publish that fails with it was never sent; a call may have been executed. */
export class TimeoutError extends StentorError {
  override readonly name = 'TimeoutError';
  readonly code = 'timeout';
  override readonly retryable = true;
}

/** The connection ended before the answer came. The command may have been executed. */
export class ConnectionLostError extends StentorError {
  override readonly name = 'ConnectionLostError';
  readonly code = 'connection_lost';
  override readonly retryable = true;
}

/** The client is closed, or was refused permanently, so nothing can be sent. */
export class DisconnectedError extends StentorError {
  override readonly name = 'DisconnectedError';
  readonly code = 'disconnected';
}

export function disconnectedError({ code, text }: Reason): DisconnectedError {
  return new DisconnectedError(`${code} ${text}`);
}

/** A publish was sent and not answered within its time budget: it may or may not be stored. It can be published again with the same idempotency key. */
export class OutcomeUnknownError extends StentorError {
  override readonly name = 'OutcomeUnknownError';
  readonly code = 'outcome_unknown';
  override readonly retryable = true;
  readonly idempotencyKey: string;

  constructor(idempotencyKey: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.idempotencyKey = idempotencyKey;
  }
}

/** The maximum number of publishes or requests is waiting. */
export class QueueFullError extends StentorError {
  override readonly name = 'QueueFullError';
  readonly code = 'queue_full';
  override readonly retryable = true;
}

/** Dropped from a full queue because of a later publish (policy `dropOldest`). Certainly not stored. */
export class DroppedError extends StentorError {
  override readonly name = 'DroppedError';
  readonly code = 'dropped';
}

/** An iteration over a topic was read too slowly, and its buffer is full (policy `fail`). */
export class OverflowError extends StentorError {
  override readonly name = 'OverflowError';
  readonly code = 'overflow';
}

/** Thrown by a token function if no token is available: the client stops instead of retrying. */
export class UnauthorizedError extends StentorError {
  override readonly name = 'UnauthorizedError';
  readonly code = 'unauthorized';
}

/** A failed assertion in this library. Please report it. */
export class BugError extends StentorError {
  override readonly name = 'BugError';
  readonly code = 'bug';
}

/** An invalid option, topic or key. */
export class InvalidError extends StentorError {
  override readonly name = 'InvalidError';
  readonly code = 'invalid';
}

/**
 * A value that cannot be sent: a function, an invalid Date, a cycle, … The message says where in the value it is. Nothing was sent, and other commands are not
 * affected.
 */
export class BadValueError extends StentorError {
  override readonly name = 'BadValueError';
  readonly code = 'bad_value';
}
