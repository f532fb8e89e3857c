import { afterEach, describe, expect, it } from 'vitest';
import { LoopLag } from '../../src/telemetry/loop-lag.ts';

describe('the loop lag', () => {
  let lag: LoopLag;
  afterEach(() => lag.stop());

  it('is the longest delay within ten seconds', () => {
    lag = new LoopLag();
    let nowMs = performance.now();
    const tick = (lateMs: number) => {
      nowMs += 1000 + lateMs;
      lag.tick(nowMs);
    };
    // Its own first tick is only nearly a second after its start.
    for (let n = 0; n < 11; n++) tick(0);
    expect(lag.maxMs).toBeLessThan(20);
    tick(300);
    for (let n = 0; n < 9; n++) tick(20);
    expect(lag.maxMs).toBeCloseTo(300, 0);
    tick(20);
    expect(lag.maxMs).toBeCloseTo(20, 0);
  });
});
