import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ReplayPace } from '../../src/session/commands/replay-pace.ts';
import type { Connection } from '../../src/session/connection.ts';
import { Replays } from '../../src/session/replays.ts';

const replaysWith = (replaysPerWorkerMax: number, replaysPerConnectionMax: number) =>
  new Replays(
    loadConfig({
      env: {},
      flags: {
        'tuning.answers.replaysPerWorkerMax': replaysPerWorkerMax,
        'tuning.answers.replaysPerConnectionMax': replaysPerConnectionMax,
      },
    }).config,
  );
const connection = () => ({}) as Connection;
const busy = expect.objectContaining({ code: 'busy', retryAfterMs: expect.any(Number) });

describe('replays', () => {
  it('are refused above replaysPerWorkerMax, until one has ended', () => {
    const replays = replaysWith(3, 2);
    const ends = [replays.begin(connection()), replays.begin(connection()), replays.begin(connection())];
    expect(() => replays.begin(connection())).toThrow(busy);
    ends[1]?.();
    expect(() => replays.begin(connection())).not.toThrow();
    expect(() => replays.begin(connection())).toThrow(busy);
  });

  it('are refused above replaysPerConnectionMax, and others are not', () => {
    const replays = replaysWith(100, 2);
    const one = connection();
    const ends = [replays.begin(one), replays.begin(one)];
    expect(() => replays.begin(one)).toThrow(busy);
    expect(() => replays.begin(connection())).not.toThrow();
    for (const end of ends) end();
    expect(() => [replays.begin(one), replays.begin(one)]).not.toThrow();
  });

  it('are all refused with 0', () => {
    expect(() => replaysWith(0, 2).begin(connection())).toThrow(busy);
  });
});

describe('the pace of a replay', () => {
  it('plays the first item at once, and each other one when it is due, in order, whatever the times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 1000 }), { minLength: 1 }), fc.constantFrom(0.1, 1, 10), (steps, speed) => {
        const times = steps.map((_, index) => 1e12 + steps.slice(0, index + 1).reduce((sum, step) => sum + step, 0));
        const items = times.map((publishedAtMs) => ({ publishedAtMs }));
        const pace = new ReplayPace(speed);
        let nowMs = 500;
        for (let at = 0; at < items.length; ) {
          nowMs += pace.waitMs(times[at] as number, nowMs);
          const count = pace.dueCount(items, at, nowMs);
          for (const time of times.slice(at, at + count)) {
            // Not earlier than it is due, but for what is sent together.
            expect(nowMs + 20.001).toBeGreaterThanOrEqual(500 + (time - (times[0] as number)) / speed);
          }
          at += count;
        }
      }),
    );
  });

  it('sends together what a slow reader could not take', () => {
    const pace = new ReplayPace(1);
    const items = [0, 100, 200, 300].map((publishedAtMs) => ({ publishedAtMs }));
    expect(pace.waitMs(0, 10)).toBe(0);
    expect([pace.waitMs(100, 10), pace.dueCount(items, 1, 110)]).toEqual([100, 1]);
    expect([pace.waitMs(200, 1000), pace.dueCount(items, 2, 1000)]).toEqual([0, 2]);
  });
});
