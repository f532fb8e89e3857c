import { ProtocolError } from '../protocol/errors.ts';
import type { Allowed, Outcome } from './outcome.ts';

/** A hook denied the request. The client gets the code and the text of the hook, with `service: true`. */
export class HookDenied extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'HookDenied';
    this.code = code;
  }
}

/** When a hook has its maximum of unanswered questions, the client retries after this time. */
const BUSY_RETRY_MS = 1000;

/** @throws HookDenied, or ProtocolError `hook_failed`, `busy` */
export function assertAllowed(outcome: Outcome): Allowed {
  switch (outcome.kind) {
    case 'allowed':
      return outcome;
    case 'denied':
      throw new HookDenied(outcome.code, outcome.message);
    case 'busy':
      throw new ProtocolError('busy', outcome.message, { retryAfterMs: outcome.retryAfterMs ?? BUSY_RETRY_MS });
    case 'failed':
      throw new ProtocolError('hook_failed', 'the hook that decides about this request gave no valid answer in time');
  }
}
