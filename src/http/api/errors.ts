import { ERROR_KINDS, type ErrorCode } from '../../protocol/errors.ts';

/** The protocol's codes, and two that only HTTP has. Codes are stable: they are never renamed, only added. */
export type ApiCode = ErrorCode | 'bad_method' | 'not_found';

const STATUS: Partial<Record<ApiCode, number>> = {
  unauthorized: 401,
  forbidden: 403,
  unknown_namespace: 404,
  unsupported: 404,
  not_found: 404,
  bad_method: 405,
  message_too_big: 413,
  busy: 503,
  unavailable: 503,
  outcome_unknown: 504,
  internal: 500,
};

/** Where a code means something else than for a client. */
const MEANINGS: Partial<Record<ApiCode, string>> = {
  bad_message: 'The query or the body is not valid JSON, or does not match its schema.',
  unauthorized: 'No bearer token, or one that this node does not know.',
  forbidden: 'The token does not have the scope; or no token is configured, and the Host is neither `localhost` nor an IP address.',
  unsupported: 'This node or namespace does not offer it; the message names the setting.',
  message_too_big: 'The body or the payload exceeds a size limit.',
  bad_method: 'The path has other methods: see the header Allow.',
  not_found: 'The API has no such path.',
};

export function statusOf(code: ApiCode): number {
  return STATUS[code] ?? 400;
}

export function meaningOf(code: ApiCode): string {
  return MEANINGS[code] ?? ERROR_KINDS[code as ErrorCode].meaning;
}
