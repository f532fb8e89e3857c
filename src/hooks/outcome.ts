import type { SubscribeOptions } from './types.ts';

/** What came of asking a hook. It passes the link, so it is plain data. */
export type Outcome =
  | Allowed
  | { readonly kind: 'denied'; readonly code: string; readonly message: string }
  /** It did not answer in time, or not properly, and `hookFailed` says `deny`. */
  | { readonly kind: 'failed' }
  /** Too many questions of the hook are unanswered. */
  | { readonly kind: 'busy'; readonly message: string };

export interface Allowed {
  readonly kind: 'allowed';
  readonly options?: SubscribeOptions;
  /** Milliseconds since 1970. */
  readonly expiresAtMs?: number;
  /** To be published instead. */
  readonly changed?: { readonly data: unknown };
}

export const ALLOWED: Allowed = { kind: 'allowed' };

/** What two hooks in a row allow: the later one has the last word on each field, and the earlier end counts. */
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
