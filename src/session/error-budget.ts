import { ERROR_KINDS, type ErrorCode } from '../protocol/errors.ts';

/** What is counted; kept as two fields of the connection. */
export interface ErrorCount {
  /** Refusals since {@link errorsSinceMs} that count. */
  errors: number;
  errorsSinceMs: number;
}

const WINDOW_MS = 60_000;

/** Counts one refusal. @returns true when the client has now made more mistakes than it may in a minute */
export function isErrorTooMany(count: ErrorCount, code: ErrorCode, errorsPerMinuteMax: number, nowMs: number): boolean {
  if (!ERROR_KINDS[code].countsTowardsClose) return false;
  if (nowMs - count.errorsSinceMs > WINDOW_MS) {
    count.errors = 0;
    count.errorsSinceMs = nowMs;
  }
  return ++count.errors > errorsPerMinuteMax;
}
