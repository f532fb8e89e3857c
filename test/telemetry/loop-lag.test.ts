import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LoopLag } from '../../src/telemetry/loop-lag.ts';

describe('the loop lag', () => {
  let lag: LoopLag;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    lag = new LoopLag();
  });
  afterEach(() => {
    lag.stop();
    vi.useRealTimers();
  });

  it('is the longest delay within ten seconds', () => {
    lag.tick(300);
    for (let n = 0; n < 19; n++) lag.tick(20);
    expect(lag.maxMs).toBe(300);
    lag.tick(20);
    expect(lag.maxMs).toBe(20);
  });

  it('is the longest delay since the last scrape', () => {
    lag.tick(300);
    lag.tick(20);
    expect(lag.p99Seconds).toBeCloseTo(0.3, 2);
    expect(lag.takeMaxSeconds()).toBeCloseTo(0.3, 2);
    lag.tick(20);
    expect(lag.takeMaxSeconds()).toBeCloseTo(0.02, 3);
    expect(lag.takeMaxSeconds()).toBe(0);
  });

  it('is measured twice a second', () => {
    const tick = vi.spyOn(lag, 'tick');
    vi.advanceTimersByTime(10_000);
    expect(tick).toHaveBeenCalledTimes(20);
  });
});
