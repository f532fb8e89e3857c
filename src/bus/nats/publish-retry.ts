import { backoffMs } from './backoff.ts';
import type { Failure } from './errors.ts';

/** A durable publish that has not been acknowledged yet. */
export interface PublishState {
  readonly attempts: number;
  /** An attempt was sent and got no answer: the log may have it. */
  readonly maybeStored: boolean;
}

export type PublishStep =
  | { readonly kind: 'send_again'; readonly afterMs: number; readonly state: PublishState }
  | { readonly kind: 'await_connection'; readonly state: PublishState }
  | {
      readonly kind: 'fail';
      readonly code: 'publish_timeout' | 'bus_unreachable' | 'publish_refused' | 'permission_denied' | 'bus_closed';
    };

/** An attempt was sent and got no answer: the log may have it. `unanswerable`: the inbox for the answer is denied. */
const UNANSWERED: readonly string[] = ['timeout', 'disconnected', 'unanswerable'];

export const FIRST_ATTEMPT: PublishState = { attempts: 1, maybeStored: false };

/**
 * Decides what to do after a failed attempt. Sending again is safe, because every attempt carries the same message id, and the time budget is well below the
 * stream's deduplication window. When the budget is used up the outcome is unknown, unless no attempt can have reached the log.
 */
export function afterFailure(
  state: PublishState,
  failure: Failure | 'unanswerable',
  elapsedMs: number,
  budgetMs: number,
  random: () => number = Math.random,
): PublishStep {
  const maybeStored = state.maybeStored || UNANSWERED.includes(failure);
  const surely = { kind: 'fail', code: maybeStored ? 'publish_timeout' : 'bus_unreachable' } as const;
  // If a later attempt is refused, an earlier one may still have been stored.
  if (failure === 'refused' || failure === 'denied') {
    if (maybeStored) return surely;
    return { kind: 'fail', code: failure === 'denied' ? 'permission_denied' : 'publish_refused' };
  }
  // Its answers cannot arrive, however often it is sent.
  if (failure === 'unanswerable') return surely;
  if (failure === 'closed') return { kind: 'fail', code: 'bus_closed' };
  if (elapsedMs >= budgetMs) return surely;
  const next = { attempts: state.attempts + 1, maybeStored };
  if (failure === 'not_sent' || failure === 'disconnected') return { kind: 'await_connection', state: next };
  const afterMs = Math.min(backoffMs(state.attempts - 1, random), budgetMs - elapsedMs);
  return { kind: 'send_again', afterMs, state: next };
}
