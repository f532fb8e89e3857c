import { HookDenied } from '../hooks/denied.ts';
import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';
import type { Connection } from './connection.ts';
import { isErrorTooMany } from './error-budget.ts';
import type { SessionMetrics } from './metrics.ts';
import type { Asked, RefusalLog } from './refusal-log.ts';

export interface RefuserOptions {
  readonly errorsPerMinuteMax: number;
  readonly metrics: Pick<SessionMetrics, 'error'>;
  readonly log: RefusalLog;
  /** Reports an error caused neither by the client nor by the bus. */
  readonly onBug: (error: Error) => void;
}

/** Answers with `error`, and counts and logs it. A connection with too many errors is closed. */
export class Refuser {
  readonly #options: RefuserOptions;

  constructor(options: RefuserOptions) {
    this.#options = options;
  }

  refuse(connection: Connection, asked: Asked, code: ErrorCode, message: string, retryAfterMs?: number, cause?: unknown): void {
    const { metrics, log, errorsPerMinuteMax } = this.#options;
    metrics.error(code);
    log.command(connection, asked, code, message, cause);
    connection.sendError(asked.id, code, message, retryAfterMs);
    if (isErrorTooMany(connection, code, errorsPerMinuteMax, Date.now())) connection.end('tooManyErrors');
  }

  /** @param error what a command threw. A ProtocolError and a HookDenied are sent to the client; anything else is a bug. */
  fail(connection: Connection, asked: Asked, error: Error): void {
    if (error instanceof ProtocolError) return this.refuse(connection, asked, error.code, error.message, error.retryAfterMs, error.cause);
    if (error instanceof HookDenied) return this.#deny(connection, asked, error);
    this.#options.onBug(error);
    this.refuse(connection, asked, 'internal', 'unexpected server error');
  }

  /** In the hook's own words. It does not count towards the limit of errors. */
  #deny(connection: Connection, { id, ...asked }: Asked, { code, message }: HookDenied): void {
    const { metrics, log } = this.#options;
    metrics.error('hook_denied');
    log.command(connection, asked, 'hook_denied', `${code}: ${message}`, undefined);
    connection.send({ type: 'error', code, message, retryable: false, service: true, ...(id !== undefined && { id }) });
  }
}
