import { describe, expect, it } from 'vitest';
import { ERROR_KINDS, type ErrorCode } from '../../src/protocol/errors.ts';
import { isErrorTooMany } from '../../src/session/error-budget.ts';

/** By code: is it the client's own mistake? Written out, so that a new code is a decision. */
const COUNTS: Record<ErrorCode, boolean> = {
  bad_message: true,
  unknown_type: true,
  message_too_big: true,
  bad_topic: true,
  bad_key: true,
  unknown_namespace: true,
  key_required: true,
  key_not_allowed: true,
  bad_payload: true,
  document_too_large: false,
  unauthorized: true,
  token_expired: true,
  token_revoked: true,
  forbidden: true,
  already_connected: true,
  unsupported: true,
  not_subscribed: false,
  unsubscribed: false,
  too_many_topics: false,
  too_many_patterns: false,
  too_many_selections: false,
  too_many_connections: false,
  rate_limited: false,
  busy: false,
  unavailable: false,
  outcome_unknown: false,
  timeout: false,
  no_responders: false,
  internal: false,
  too_many_calls: false,
  hook_denied: false,
  hook_failed: false,
  answer_too_large: false,
  bad_answer: false,
  no_such_connection: false,
  no_handler: false,
  connection_closed: false,
  service_error: false,
};

const fresh = () => ({ errors: 0, errorsSinceMs: 0 });

describe('the bound on errors a minute', () => {
  it.each(Object.keys(ERROR_KINDS) as ErrorCode[])('decides by the code whether a refusal counts: %s', (code) => {
    const count = fresh();
    const outcomes = Array.from({ length: 100 }, () => isErrorTooMany(count, code, 60, 1000));
    expect(outcomes.indexOf(true)).toBe(COUNTS[code] ? 60 : -1);
  });

  it('never counts what may be retried, because the client is told to send it again', () => {
    for (const { retryable, countsTowardsClose } of Object.values(ERROR_KINDS)) expect(retryable && countsTowardsClose).toBe(false);
  });

  it('starts again after a minute', () => {
    const count = fresh();
    for (let i = 0; i < 5; i++) expect(isErrorTooMany(count, 'bad_topic', 5, 70_000)).toBe(false);
    expect(isErrorTooMany(count, 'bad_topic', 5, 130_000)).toBe(true);
    expect(isErrorTooMany(count, 'bad_topic', 5, 190_001)).toBe(false);
  });
});
