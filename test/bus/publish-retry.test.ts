import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../src/bus/nats/backoff.ts';
import type { Failure } from '../../src/bus/nats/errors.ts';
import { afterFailure, FIRST_ATTEMPT, type PublishState } from '../../src/bus/nats/publish-retry.ts';

const BUDGET_MS = 60_000;
const step = (failure: Failure | 'unanswerable', elapsedMs = 0, state: PublishState = FIRST_ATTEMPT) =>
  afterFailure(state, failure, elapsedMs, BUDGET_MS, () => 0);
const unsure: PublishState = { attempts: 3, maybeStored: true };

describe('a publish that failed', () => {
  it('is sent again if the server did not answer, had no leader or was overloaded', () => {
    for (const failure of ['timeout', 'no_responders', 'unavailable'] as const) {
      expect(step(failure)).toMatchObject({ kind: 'send_again', afterMs: 50, state: { attempts: 2, maybeStored: failure === 'timeout' } });
    }
  });

  it('waits for the connection if that failed', () => {
    expect(step('not_sent')).toEqual({ kind: 'await_connection', state: { attempts: 2, maybeStored: false } });
    expect(step('disconnected')).toEqual({ kind: 'await_connection', state: { attempts: 2, maybeStored: true } });
  });

  it('has an unknown outcome after the budget once any attempt may have arrived', () => {
    expect(step('timeout', BUDGET_MS)).toEqual({ kind: 'fail', code: 'publish_timeout' });
    expect(step('disconnected', BUDGET_MS)).toEqual({ kind: 'fail', code: 'publish_timeout' });
    expect(step('no_responders', BUDGET_MS, unsure)).toEqual({ kind: 'fail', code: 'publish_timeout' });
    expect(step('refused', 0, unsure)).toEqual({ kind: 'fail', code: 'publish_timeout' });
  });

  it('was surely not stored when no attempt can have arrived', () => {
    expect(step('not_sent', BUDGET_MS)).toEqual({ kind: 'fail', code: 'bus_unreachable' });
    expect(step('no_responders', BUDGET_MS)).toEqual({ kind: 'fail', code: 'bus_unreachable' });
    expect(step('refused')).toEqual({ kind: 'fail', code: 'publish_refused' });
  });

  it('has an unknown outcome at once where answers cannot come: the log may have it', () => {
    expect(step('unanswerable')).toEqual({ kind: 'fail', code: 'publish_timeout' });
  });

  it('fails when the bus is stopped', () => {
    expect(step('closed', 0, unsure)).toEqual({ kind: 'fail', code: 'bus_closed' });
  });

  it('never waits longer than its time budget', () => {
    expect(step('no_responders', BUDGET_MS - 10, { attempts: 9, maybeStored: false })).toMatchObject({ afterMs: 10 });
  });
});

describe('the pause between attempts', () => {
  it('doubles up to a second, plus up to half of it at random', () => {
    expect([0, 1, 2, 3, 4, 5, 60].map((attempt) => backoffMs(attempt, () => 0))).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
    expect(backoffMs(0, () => 1)).toBe(75);
  });
});
