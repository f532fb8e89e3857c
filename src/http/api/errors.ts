import { ERROR_KINDS, type ErrorCode } from '../../protocol/errors.ts';
import type { HttpCode } from '../../protocol/http-status.ts';

/** Where a code means something else than for a client. */
const MEANINGS: Partial<Record<HttpCode, string>> = {
  bad_message: 'The query or the body is not valid JSON, or does not match its schema.',
  unauthorized: 'No bearer token, or one that this node does not know.',
  forbidden: 'The token does not have the scope; or no token is configured, and the Host is neither `localhost` nor an IP address.',
  unsupported: 'This node or namespace does not offer it; the message names the setting.',
  message_too_big: 'The body or the payload exceeds a size limit.',
  timeout: 'The body did not arrive in time, or the node of the connection did not answer.',
  bad_method: 'The path has other methods: see the header Allow.',
  not_found: 'The API has no such path.',
};

export function meaningOf(code: HttpCode): string {
  return MEANINGS[code] ?? ERROR_KINDS[code as ErrorCode].meaning;
}
