import type { ErrorCode } from '../protocol/errors.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Reason } from './state.ts';

/** Everything this library rejects with or reports. `code` is stable: it is what a program switches on. */
export abstract class StentorError extends Error {
  abstract readonly code: string;
  /** The same thing may succeed later. */
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
    // Timers are set by it.
    this.retryAfterMs = Number.isFinite(retryAfterMs) ? retryAfterMs : undefined;
  }
}

/** No answer in time. A publish that fails so was never sent; a call may have been carried out. */
export class TimeoutError extends StentorError {
  override readonly name = 'TimeoutError';
  readonly code = 'timeout';
  override readonly retryable = true;
}

/** The connection ended before the answer came. The command may have been carried out. */
export class ConnectionLostError extends StentorError {
  override readonly name = 'ConnectionLostError';
  readonly code = 'connection_lost';
  override readonly retryable = true;
}

/** The client is closed, or was refused for good, so nothing can be sent. */
export class DisconnectedError extends StentorError {
  override readonly name = 'DisconnectedError';
  readonly code = 'disconnected';
}

export function disconnectedError({ code, text }: Reason): DisconnectedError {
  return new DisconnectedError(`${code} ${text}`);
}

/** A publish was sent and not answered within its budget: it may or may not be stored. The same idempotency key may be published again. */
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

/** As many publishes or requests wait as may. */
export class QueueFullError extends StentorError {
  override readonly name = 'QueueFullError';
  readonly code = 'queue_full';
  override readonly retryable = true;
}

/** Pushed out of a full queue by a later publish (policy `dropOldest`). Surely not stored. */
export class DroppedError extends StentorError {
  override readonly name = 'DroppedError';
  readonly code = 'dropped';
}

/** Whoever iterates a topic read so slowly that its buffer filled (policy `fail`). */
export class OverflowError extends StentorError {
  override readonly name = 'OverflowError';
  readonly code = 'overflow';
}

/** Thrown by a token function to say that there is no token to be had: the client stops instead of trying again. */
export class UnauthorizedError extends StentorError {
  override readonly name = 'UnauthorizedError';
  readonly code = 'unauthorized';
}

/** This library is at fault: an assertion of its own failed. Please report it. */
export class BugError extends StentorError {
  override readonly name = 'BugError';
  readonly code = 'bug';
}

/** An option, a topic or a key that cannot be. */
export class InvalidError extends StentorError {
  override readonly name = 'InvalidError';
  readonly code = 'invalid';
}

/** A value that cannot be sent: a function, an invalid Date, a cycle, … The message says where in it. Nothing was sent, and nothing else is touched. */
export class BadValueError extends StentorError {
  override readonly name = 'BadValueError';
  readonly code = 'bad_value';
}
