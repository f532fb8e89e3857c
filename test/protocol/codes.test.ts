import { describe, expect, it } from 'vitest';
import { CLOSE_CODES, CLOSE_REASON_TEXTS, reconnectAdvice } from '../../src/protocol/close-codes.ts';
import { ERROR_KINDS, ProtocolError } from '../../src/protocol/errors.ts';

describe('close codes', () => {
  it('are the ones that protocol v1 names: they never change', () => {
    expect(CLOSE_CODES).toEqual({
      malformedMessage: 4000,
      unauthorized: 4001,
      messageTooBig: 4005,
      replaced: 4008,
      tooManyErrors: 4009,
      disconnected: 4010,
      tokenRevoked: 4011,
      serverError: 4100,
      rateLimited: 4102,
      tooSlow: 4103,
      brokerUnavailable: 4104,
      disconnectedForNow: 4105,
      draining: 4200,
      tokenExpired: 4201,
    });
  });

  it('have a reason each, which fits a close frame', () => {
    expect(Object.keys(CLOSE_REASON_TEXTS)).toEqual(Object.keys(CLOSE_CODES));
    for (const text of Object.values(CLOSE_REASON_TEXTS)) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(123);
  });

  it.each([
    [4000, 'never'],
    [4009, 'never'],
    [4099, 'never'],
    [4100, 'after backoff'],
    [4199, 'after backoff'],
    [4200, 'now'],
    [4299, 'now'],
    [4300, 'after backoff'],
    [3999, 'after backoff'],
    [1000, 'after backoff'],
    [1001, 'after backoff'],
    [1006, 'after backoff'],
  ])('tell a client what to do, known or not: %i, %s', (code, advice) => {
    expect(reconnectAdvice(code)).toBe(advice);
  });
});

describe('error kinds', () => {
  it('are stable words, with a meaning each', () => {
    for (const [code, { meaning }] of Object.entries(ERROR_KINDS)) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(meaning).toMatch(/\.$/);
    }
  });

  it('may be retried where time alone can change the outcome, and only there', () => {
    const retryable = Object.entries(ERROR_KINDS).flatMap(([code, kind]) => (kind.retryable ? [code] : []));
    expect(retryable).toEqual([
      'too_many_patterns',
      'too_many_selections',
      'rate_limited',
      'busy',
      'unavailable',
      'outcome_unknown',
      'timeout',
      'too_many_calls',
      'no_responders',
      'hook_failed',
      'internal',
    ]);
  });

  it('make errors that keep their cause', () => {
    const cause = new Error('below');
    const error = new ProtocolError('busy', 'try again', { cause });
    expect(error).toMatchObject({ name: 'ProtocolError', code: 'busy', message: 'try again', cause });
  });
});

describe('ProtocolError', () => {
  it('has no stack, which would cost more than the refusal, and leaves other errors theirs', () => {
    const { stackTraceLimit } = Error;
    expect(new ProtocolError('busy', 'later').stack).toMatch(/^(Protocol)?Error: later$/);
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    expect(new Error('another').stack).toContain('codes.test.ts');
  });
});
