import type { ErrorCode } from './errors.ts';

/** The protocol's codes, and two that only HTTP has. Codes are stable: they are never renamed, only added. */
export type HttpCode = ErrorCode | 'bad_method' | 'not_found';

const STATUS: Partial<Record<HttpCode, number>> = {
  unauthorized: 401,
  token_expired: 401,
  token_revoked: 401,
  forbidden: 403,
  hook_denied: 403,
  no_such_connection: 404,
  unknown_namespace: 404,
  unsupported: 404,
  not_found: 404,
  bad_method: 405,
  timeout: 408,
  message_too_big: 413,
  rate_limited: 429,
  too_many_connections: 429,
  internal: 500,
  busy: 503,
  unavailable: 503,
  hook_failed: 503,
  outcome_unknown: 504,
};

/** The HTTP status of an error. */
export function statusOf(code: HttpCode): number {
  return STATUS[code] ?? 400;
}
