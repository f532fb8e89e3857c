import { describe, expect, it } from 'vitest';
import { WritePace } from '../../src/link/write-pace.ts';

/** Messages with this gap, each written when the pace lets it; what comes meanwhile leaves with it. @returns how long those of the second half waited */
function waits(pace: WritePace, gapMs: number, count: number, startMs = 0): number[] {
  const waited: number[] = [];
  let queued: number[] = [];
  let writeAtMs = Number.POSITIVE_INFINITY;
  const write = () => {
    for (const atMs of queued) waited.push(writeAtMs - atMs);
    pace.wrote(writeAtMs, queued.length);
    queued = [];
    writeAtMs = Number.POSITIVE_INFINITY;
  };
  for (let i = 0; i < count; i++) {
    const nowMs = startMs + i * gapMs;
    if (writeAtMs <= nowMs) write();
    if (queued.length === 0) writeAtMs = nowMs + pace.waitMs(nowMs);
    queued.push(nowMs);
  }
  write();
  return waited.slice(count / 2);
}

describe('the pace of writes', () => {
  it('writes immediately at 250 messages a second', () => {
    expect(Math.max(...waits(new WritePace(4), 4, 1000))).toBe(0);
  });

  it('joins four messages in a write at 1,000 a second, and none waits longer than configured', () => {
    const waited = waits(new WritePace(4), 1, 1000);
    expect(Math.max(...waited)).toBeLessThanOrEqual(4);
    expect(new Set(waited).size).toBe(4);
  });

  it('writes immediately in a burst of fifteen', () => {
    expect(Math.max(...waits(new WritePace(4), 0.1, 15))).toBe(0);
  });

  it('stops joining when messages come slowly again', () => {
    const pace = new WritePace(4);
    waits(pace, 1, 1000);
    expect(Math.max(...waits(pace, 4, 100, 1000))).toBe(0);
  });

  it('keeps joining while the rate is between the two bounds, so that it does not switch at each message', () => {
    const pace = new WritePace(4);
    waits(pace, 1, 1000);
    expect(Math.max(...waits(pace, 1.5, 1000, 1000))).toBeGreaterThan(0);
    expect(Math.max(...waits(new WritePace(4), 1.5, 1000))).toBe(0);
  });

  it('writes immediately if it is 0', () => {
    expect(Math.max(...waits(new WritePace(0), 0.1, 1000))).toBe(0);
  });
});
