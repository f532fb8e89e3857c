import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AlignedInterval } from '../../src/telemetry/aligned-interval.ts';

describe('an aligned interval', () => {
  const started: AlignedInterval[] = [];
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => {
    for (const interval of started.splice(0)) interval.stop();
    vi.useRealTimers();
  });

  function every(periodMs: number, work: (lateMs: number) => void): AlignedInterval {
    const interval = new AlignedInterval(periodMs, work);
    started.push(interval);
    return interval;
  }

  it('is at the multiples of its period, whenever it was started', () => {
    const at: string[] = [];
    const start = performance.now();
    vi.advanceTimersByTime(1000 - (start % 1000) + 130);
    const from = Math.floor(performance.now() / 1000) * 1000;
    every(500, () => void at.push(`half ${Math.round(performance.now() - from)}`));
    vi.advanceTimersByTime(200);
    every(1000, () => void at.push(`whole ${Math.round(performance.now() - from)}`));
    vi.advanceTimersByTime(1800);
    expect(at.sort()).toEqual(['half 1000', 'half 1500', 'half 2000', 'half 500', 'whole 1000', 'whole 2000'].sort());
  });

  it('ends when it is stopped, in its own call too', () => {
    const work = vi.fn(() => interval.stop());
    const interval = every(100, work);
    vi.advanceTimersByTime(1000);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('says how late it is, and skips what it has missed', () => {
    const late: number[] = [];
    every(100, (ms) => void late.push(Math.round(ms)));
    vi.advanceTimersByTime(100);
    const { now } = performance;
    // The loop was busy for 250 ms.
    vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 250);
    vi.advanceTimersByTime(100);
    expect(late).toHaveLength(2);
    expect(late[0]).toBeLessThanOrEqual(1);
    expect(late[1]).toBeGreaterThanOrEqual(249);
    vi.advanceTimersByTime(60);
    expect(late).toHaveLength(3);
  });
});
