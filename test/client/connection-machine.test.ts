import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BackoffOptions, backoffDelayMs } from '../../src/client/backoff.ts';
import { ConnectionMachine } from '../../src/client/connection-machine.ts';

const BACKOFF: BackoffOptions = { baseMs: 500, maxMs: 30_000, jitterMs: 1000, stableAfterMs: 5000 };
const HELLO = { connectionId: 'c1', nodeId: 'n1', user: 'alice' };
const CUT = { code: 1006, text: 'connection lost' };

function machine({ urls = ['ws://a'], random = () => 0 }: { urls?: string[]; random?: () => number } = {}): ConnectionMachine {
  return new ConnectionMachine({ urls, backoff: BACKOFF, random });
}

function connected(random?: () => number): ConnectionMachine {
  const made = machine(random === undefined ? {} : { random });
  made.start();
  made.connected(HELLO, 0);
  return made;
}

const closing = (min: number, max: number) => ({ type: 'closing', code: 4200, reason: 'drain', reconnectAfterMs: { min, max } }) as const;

describe('backoff', () => {
  it('doubles from its base, adds up to the jitter, and stays below its ceiling', () => {
    expect([0, 1, 2, 3].map((attempt) => backoffDelayMs(attempt, BACKOFF, 0))).toEqual([500, 1000, 2000, 4000]);
    expect(backoffDelayMs(0, BACKOFF, 0.5)).toBe(1000);
    fc.assert(
      fc.property(fc.nat(2000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const delayMs = backoffDelayMs(attempt, BACKOFF, random);
        expect(delayMs).toBeGreaterThanOrEqual(BACKOFF.baseMs);
        expect(delayMs).toBeLessThanOrEqual(BACKOFF.maxMs);
      }),
    );
  });
});

describe('a connection that never was', () => {
  it('is connecting, between its attempts too, and says when the next one is', () => {
    const made = machine();
    expect(made.state).toMatchObject({ status: 'disconnected', reason: { text: 'not started' } });
    expect(made.start()).toEqual({ kind: 'dial', url: 'ws://a' });
    expect(made.state).toEqual({ status: 'connecting', url: 'ws://a', attempt: 0, reason: undefined, nextAttemptAtMs: undefined });
    expect(made.lost(CUT, 100)).toEqual({ kind: 'wait', untilMs: 600 });
    expect(made.state).toEqual({ status: 'connecting', url: 'ws://a', attempt: 1, reason: CUT, nextAttemptAtMs: 600 });
    expect(made.due()).toEqual({ kind: 'dial', url: 'ws://a' });
    expect(made.lost(CUT, 700)).toEqual({ kind: 'wait', untilMs: 1700 });
  });

  it('tries its URLs in turn, and counts a round through all of them as one attempt', () => {
    const made = machine({ urls: ['ws://a', 'ws://b'] });
    const dialled = [made.start()];
    const waits = [];
    for (let i = 0; i < 4; i++) {
      waits.push(made.lost(CUT, 0));
      dialled.push(made.due());
    }
    expect(dialled.map((step) => step.kind === 'dial' && step.url)).toEqual(['ws://a', 'ws://b', 'ws://a', 'ws://b', 'ws://a']);
    expect(waits.map((step) => step.kind === 'wait' && step.untilMs)).toEqual([500, 500, 1000, 1000]);
  });
});

describe('a connection that was lost', () => {
  it('is retried after backoff, at the same URL first', () => {
    const made = machine({ urls: ['ws://a', 'ws://b'] });
    made.start();
    made.connected(HELLO, 0);
    expect(made.state).toEqual({ status: 'connected', url: 'ws://a', ...HELLO });
    expect(made.lost(CUT, 1000)).toEqual({ kind: 'wait', untilMs: 1500 });
    expect(made.state).toMatchObject({ status: 'reconnecting', url: 'ws://a', reason: CUT });
    expect(made.due()).toMatchObject({ url: 'ws://a' });
    made.lost(CUT, 1600);
    expect(made.due()).toMatchObject({ url: 'ws://b' });
  });

  it('starts with the first pause again only after a stable connection', () => {
    const made = connected();
    const steps = [];
    let atMs = 0;
    for (const lastedMs of [10, 10, 10, 5000]) {
      atMs += lastedMs;
      steps.push(made.lost(CUT, atMs));
      made.due();
      made.connected(HELLO, atMs);
    }
    expect(steps.map((step) => step.kind === 'wait' && step.untilMs)).toEqual([510, 1020, 2030, 5530]);
  });

  it.each([4000, 4001, 4009, 4042, 4099])('is not made again after close code %i', (code) => {
    const made = connected();
    expect(made.lost({ code, text: 'no' }, 0)).toEqual({ kind: 'rest' });
    expect(made.state).toEqual({ status: 'disconnected', reason: { code, text: 'no' } });
    expect(made.due()).toEqual({ kind: 'rest' });
    expect(made.wake(0)).toEqual({ kind: 'rest' });
    expect(made.lost(CUT, 0)).toEqual({ kind: 'rest' });
    expect(made.start()).toMatchObject({ kind: 'dial' });
  });

  it.each([1000, 1001, 1006, 3000, 4100, 4103, 4199, 4300])('is made again after backoff with close code %i', (code) => {
    expect(connected().lost({ code, text: '' }, 0)).toEqual({ kind: 'wait', untilMs: 500 });
  });

  it.each([4200, 4201, 4299])('is made again at once after close code %i, but not in a loop', (code) => {
    const made = connected();
    expect(made.lost({ code, text: '' }, 10)).toEqual({ kind: 'wait', untilMs: 10 });
    made.due();
    made.connected(HELLO, 20);
    expect(made.lost({ code, text: '' }, 30)).toEqual({ kind: 'wait', untilMs: 1030 });
  });

  it('reconnects at a random moment of the window that the server named, at the next URL', () => {
    for (const random of [0, 0.25, 0.999]) {
      const made = machine({ urls: ['ws://a', 'ws://b'], random: () => random });
      made.start();
      made.connected(HELLO, 0);
      made.closing(closing(1000, 5000));
      expect(made.lost({ code: 4200, text: '' }, 0)).toEqual({ kind: 'wait', untilMs: 1000 + random * 4000 });
      expect(made.due()).toMatchObject({ url: 'ws://b' });
    }
  });

  it('respects the window if the announced close never came', () => {
    const made = connected(() => 0.5);
    made.closing(closing(0, 200));
    expect(made.lost(CUT, 0)).toEqual({ kind: 'wait', untilMs: 100 });
    made.due();
    made.connected(HELLO, 0);
    expect(made.lost(CUT, 0)).not.toEqual({ kind: 'wait', untilMs: 100 });
  });

  it('waits as long as the server requested', () => {
    const made = connected();
    made.retryAfter(9000);
    expect(made.lost({ code: 4102, text: '' }, 0)).toEqual({ kind: 'wait', untilMs: 9000 });
    made.due();
    expect(made.lost(CUT, 0)).toEqual({ kind: 'wait', untilMs: 1000 });
  });
});

describe('a wake-up', () => {
  it('ends the backoff', () => {
    const made = connected();
    made.lost(CUT, 0);
    expect(made.wake(1)).toEqual({ kind: 'dial', url: 'ws://a' });
  });

  it('does not reconnect before the time that the server requested', () => {
    const made = connected();
    made.retryAfter(300);
    made.lost(CUT, 0);
    expect(made.wake(1)).toEqual({ kind: 'wait', untilMs: 300 });
    expect(made.state).toMatchObject({ nextAttemptAtMs: 300 });
    const drained = connected(() => 0.5);
    drained.closing(closing(0, 5000));
    drained.lost({ code: 4200, text: '' }, 0);
    expect(drained.wake(1)).toEqual({ kind: 'rest' });
    expect(drained.state).toMatchObject({ nextAttemptAtMs: 2500 });
  });

  it('changes nothing while an attempt is under way, or a connection is there', () => {
    const made = machine();
    made.start();
    expect(made.wake(0)).toEqual({ kind: 'rest' });
    made.connected(HELLO, 0);
    expect(made.wake(0)).toEqual({ kind: 'rest' });
  });
});

it('is always in one of its states, and answers accordingly, for events in any order', () => {
  const event = fc.oneof(
    fc.constantFrom('start', 'due', 'wake', 'stop', 'connected', 'closing'),
    fc.record({ lost: fc.oneof(fc.constantFrom(1000, 1006, 4001, 4100, 4200, 4201), fc.integer({ min: 1000, max: 4999 })) }),
    fc.record({ retryAfter: fc.nat(60_000) }),
  );
  fc.assert(
    fc.property(fc.array(event), fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), (events, randoms) => {
      const made = machine({ urls: ['ws://a', 'ws://b', 'ws://c'], random: () => randoms.next().value as number });
      let nowMs = 0;
      for (const one of events) {
        nowMs += 700;
        const step =
          one === 'start'
            ? made.start()
            : one === 'due'
              ? made.due()
              : one === 'wake'
                ? made.wake(nowMs)
                : one === 'stop'
                  ? made.stop({ code: 1000, text: '' })
                  : one === 'connected'
                    ? made.connected(HELLO, nowMs)
                    : one === 'closing'
                      ? made.closing(closing(0, 5000))
                      : typeof one === 'object' && 'lost' in one
                        ? made.lost({ code: one.lost, text: '' }, nowMs)
                        : made.retryAfter((one as { retryAfter: number }).retryAfter);
        const { state } = made;
        if (step?.kind === 'dial') expect(state).toMatchObject({ nextAttemptAtMs: undefined, url: step.url });
        if (step?.kind === 'wait') {
          expect(state).toMatchObject({ nextAttemptAtMs: step.untilMs });
          expect(step.untilMs).toBeGreaterThanOrEqual(nowMs);
          expect(step.untilMs - nowMs).toBeLessThanOrEqual(60_000);
        }
      }
    }),
  );
});
