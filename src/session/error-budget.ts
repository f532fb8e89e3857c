import { ERROR_KINDS, type ErrorCode } from '../protocol/errors.ts';

/** The counters; two fields of the connection. */
export interface ErrorCount {
  /** Counted errors since {@link errorsSinceMs}. */
  errors: number;
  errorsSinceMs: number;
}

const WINDOW_MS = 60_000;

/** Counts one error. @returns true if the client has exceeded its limit of errors per minute */
export function isErrorTooMany(count: ErrorCount, code: ErrorCode, errorsPerMinuteMax: number, nowMs: number): boolean {
  if (!ERROR_KINDS[code].countsTowardsClose) return false;
  if (nowMs - count.errorsSinceMs > WINDOW_MS) {
    count.errors = 0;
    count.errorsSinceMs = nowMs;
  }
  return ++count.errors > errorsPerMinuteMax;
}
