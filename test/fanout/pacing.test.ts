import { describe, expect, it } from 'vitest';
import { Pacing } from '../../src/fanout/pacing.ts';

const SEND_MS = 0.008;

/** The period on which it settles. */
function settled(
  pacing: Pacing,
  { connections, perConnection, ms = 5000 }: { connections: number; perConnection: number; ms?: number },
): number {
  let periodMs = 0;
  for (let nowMs = 0, lastMs = 0; nowMs < ms; nowMs++) {
    if (nowMs < lastMs + Math.max(1, periodMs)) continue;
    pacing.visited(connections, (connections * perConnection * (nowMs - lastMs)) / 1000, nowMs - lastMs);
    lastMs = nowMs;
    periodMs = pacing.periodMs(nowMs, SEND_MS);
  }
  return periodMs;
}

describe('Pacing', () => {
  it('delays nothing where nothing has been sent', () => {
    expect(new Pacing(75).periodMs(0, SEND_MS)).toBe(0);
  });

  it('delays for the whole period if the loop would be busy and a period joins several publications', () => {
    expect(settled(new Pacing(75), { connections: 4000, perConnection: 50 })).toBe(75);
    expect(settled(new Pacing(75), { connections: 17_000, perConnection: 200 })).toBe(75);
  });

  it('delays nothing where a connection gets little: there is nothing to join', () => {
    expect(settled(new Pacing(75), { connections: 4000, perConnection: 12.5 })).toBe(0);
    expect(settled(new Pacing(75), { connections: 17_000, perConnection: 5 })).toBe(0);
  });

  it('delays nothing where the loop has time', () => {
    expect(settled(new Pacing(75), { connections: 100, perConnection: 200 })).toBe(0);
  });

  it('delays nothing where it may not', () => {
    expect(settled(new Pacing(0), { connections: 4000, perConnection: 50 })).toBe(0);
  });

  it('grows steadily with the feed, and does not depend on the previous period', () => {
    let before = 0;
    for (let perConnection = 15; perConnection <= 50; perConnection++) {
      const fresh = settled(new Pacing(75), { connections: 4000, perConnection });
      expect(fresh).toBeGreaterThanOrEqual(before - 1);
      expect(fresh - before).toBeLessThan(8);
      before = fresh;
      const slowed = new Pacing(75);
      settled(slowed, { connections: 4000, perConnection: 500, ms: 2000 });
      let periodMs = 75;
      for (let nowMs = 2000, lastMs = 2000; nowMs < 12_000; nowMs++) {
        if (nowMs < lastMs + Math.max(1, periodMs)) continue;
        slowed.visited(4000, (4000 * perConnection * (nowMs - lastMs)) / 1000, nowMs - lastMs);
        lastMs = nowMs;
        periodMs = slowed.periodMs(nowMs, SEND_MS);
      }
      expect(Math.abs(periodMs - fresh)).toBeLessThan(5);
    }
    expect(before).toBeGreaterThan(70);
  });
});
