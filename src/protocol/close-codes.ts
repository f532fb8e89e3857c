// By themselves, so that a bundle of the SDK has only those that it uses.
export const UNAUTHORIZED = 4001;
export const REPLACED = 4008;
export const TOKEN_REVOKED = 4011;
export const SERVER_ERROR = 4100;
export const TOKEN_EXPIRED = 4201;

/**
 * WebSocket close codes. The hundreds tell a client what to do with an unknown code: 4000–4099 do not reconnect, 4100–4199 reconnect after backoff, 4200–4299
 * reconnect now.
 */
export const CLOSE_CODES = {
  malformedMessage: 4000,
  unauthorized: UNAUTHORIZED,
  messageTooBig: 4005,
  replaced: REPLACED,
  tooManyErrors: 4009,
  disconnected: 4010,
  tokenRevoked: TOKEN_REVOKED,
  serverError: SERVER_ERROR,
  rateLimited: 4102,
  tooSlow: 4103,
  brokerUnavailable: 4104,
  disconnectedForNow: 4105,
  draining: 4200,
  tokenExpired: TOKEN_EXPIRED,
} as const;

export type CloseReason = keyof typeof CLOSE_CODES;

export const CLOSE_REASON_TEXTS: Record<CloseReason, string> = {
  malformedMessage: 'malformed message',
  unauthorized: 'unauthorized',
  messageTooBig: 'message too big',
  replaced: 'too many connections of this user',
  tooManyErrors: 'too many errors',
  disconnected: 'disconnected by the operator',
  tokenRevoked: 'token revoked',
  serverError: 'server error',
  rateLimited: 'rate limited',
  tooSlow: 'too slow',
  brokerUnavailable: 'broker unavailable',
  disconnectedForNow: 'disconnected by the operator, reconnect',
  draining: 'node draining',
  tokenExpired: 'token expired',
};

export type ReconnectAdvice = 'never' | 'after backoff' | 'now';

/** What a client should do after a close. Codes outside 4000–4299 (1006, 1001, …) mean a broken connection: back off. */
export function reconnectAdvice(code: number): ReconnectAdvice {
  if (code >= 4000 && code < 4100) return 'never';
  if (code >= 4200 && code < 4300) return 'now';
  return 'after backoff';
}
