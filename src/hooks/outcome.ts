import type { SubscribeOptions } from './types.ts';

/** The result of asking a hook. It is sent over the link, so it is plain data. */
export type Outcome =
  | Allowed
  | { readonly kind: 'denied'; readonly code: string; readonly message: string }
  /** The hook gave no valid answer in time, and `hookFailed` is `deny`. */
  | { readonly kind: 'failed' }
  /** The hook has its maximum of unanswered questions, or this user has asked too often. */
  | { readonly kind: 'busy'; readonly message: string; readonly retryAfterMs?: number };

export interface Allowed {
  readonly kind: 'allowed';
  readonly options?: SubscribeOptions;
  /** Milliseconds since 1970. */
  readonly expiresAtMs?: number;
  /** Also for a pattern of topics. */
  readonly pattern?: true;
  /** This data is published instead of the client's. */
  readonly changed?: { readonly data: unknown };
}

export const ALLOWED: Allowed = { kind: 'allowed' };

/** Combines the answers of two hooks of a chain. Each field of the second replaces that of the first; of two expiry times the earlier one applies. */
export function both(first: Allowed, second: Allowed): Allowed {
  const { options, expiresAtMs, changed } = second;
  const end = Math.min(first.expiresAtMs ?? Number.POSITIVE_INFINITY, expiresAtMs ?? Number.POSITIVE_INFINITY);
  return {
    ...first,
    ...(options !== undefined && { options: { ...first.options, ...options } }),
    ...(end !== Number.POSITIVE_INFINITY && { expiresAtMs: end }),
    ...(changed !== undefined && { changed }),
  };
}
