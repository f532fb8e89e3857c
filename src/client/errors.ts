import type { ErrorCode } from '../protocol/errors.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Reason } from './state.ts';

/** The base class of all errors that this library rejects with or reports. `code` is stable; programs should compare it. */
export abstract class StentorError extends Error {
  abstract readonly code: string;
  /** Whether the same action may succeed later. */
  readonly retryable: boolean = false;
}

/** The server refused a command; `code` is the protocol's, or that of the service that a call went to. */
export class CommandError extends StentorError {
  override readonly name = 'CommandError';
  readonly code: ErrorCode | (string & {});
  override readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor({ code, message, retryable, retryAfterMs }: Pick<ServerMessage<'error'>, 'code' | 'message' | 'retryable' | 'retryAfterMs'>) {
    super(`${code}: ${message}`);
    this.code = code;
    this.retryable = retryable;
    // Timers are set with it.
    this.retryAfterMs = Number.isFinite(retryAfterMs) ? retryAfterMs : undefined;
  }
}

type ErrorWithCode<C extends string> = new (message: string, options?: ErrorOptions) => StentorError & { readonly code: C };

/** The errors with one code. They are named after it: one with `connection_lost` is a ConnectionLostError. */
function withCode<C extends string>(code: C, retryable = false): ErrorWithCode<C> {
  return class extends StentorError {
    override readonly name = `${code.replace(/(?:^|_)./g, (start) => start.slice(-1).toUpperCase())}Error`;
    readonly code = code;
    override readonly retryable = retryable;
  };
}

/** No answer in time. A publish that fails with it was never sent; a call may have been executed. */
export class TimeoutError extends /* @__PURE__ */ withCode('timeout', true) {}

/** The connection ended before the answer came. The command may have been executed. */
export class ConnectionLostError extends /* @__PURE__ */ withCode('connection_lost', true) {}

/** The client is closed, or was refused permanently, so nothing can be sent. */
export class DisconnectedError extends /* @__PURE__ */ withCode('disconnected') {}

export function disconnectedError({ code, text }: Reason): DisconnectedError {
  return new DisconnectedError(`${code} ${text}`);
}

/** A publish was sent and not answered within its time budget: it may or may not be stored. It can be published again with the same idempotency key. */
export class OutcomeUnknownError extends /* @__PURE__ */ withCode('outcome_unknown', true) {
  readonly idempotencyKey: string;

  constructor(idempotencyKey: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.idempotencyKey = idempotencyKey;
  }
}

/** The maximum number of publishes or requests is waiting. */
export class QueueFullError extends /* @__PURE__ */ withCode('queue_full', true) {}

/** Dropped from a full queue because of a later publish (policy `dropOldest`). Certainly not stored. */
export class DroppedError extends /* @__PURE__ */ withCode('dropped') {}

/** An iteration over a topic was read too slowly, and its buffer is full (policy `fail`). */
export class OverflowError extends /* @__PURE__ */ withCode('overflow') {}

/** Thrown by a token function if no token is available: the client stops instead of retrying. */
export class UnauthorizedError extends /* @__PURE__ */ withCode('unauthorized') {}

/** A failed assertion in this library. Please report it. */
export class BugError extends /* @__PURE__ */ withCode('bug') {}

/** An invalid option, topic or key. */
export class InvalidError extends /* @__PURE__ */ withCode('invalid') {}

/**
 * A value that cannot be sent: a function, an invalid Date, a cycle, … The message says where in the value it is. Nothing was sent, and other commands are not
 * affected.
 */
export class BadValueError extends /* @__PURE__ */ withCode('bad_value') {}
