import { describe, expect, it } from 'vitest';
import { InboundLimits } from '../../src/session/inbound-limits.ts';

const fresh = () => ({
  frameTokens: Number.POSITIVE_INFINITY,
  byteTokens: Number.POSITIVE_INFINITY,
  inboundAtMs: 0,
});
const limits = (framesPerSecondMax = 1000, bytesPerSecondMax = 1_048_576, messagesPerSecondMax = 100) =>
  new InboundLimits({ framesPerSecondMax, bytesPerSecondMax, messagesPerSecondMax });

/** How many frames of so many bytes go through at one moment until the verdict changes. */
function through(bounds: InboundLimits, inbound: ReturnType<typeof fresh>, payloadBytes: number, nowMs: number): [number, string] {
  for (let count = 0; ; count++) {
    const verdict = bounds.take(inbound, payloadBytes, nowMs);
    if (verdict !== 'ok') return [count, verdict];
  }
}

describe('the limits of what a connection sends', () => {
  it('is two seconds’ worth of frames at once, then the rate', () => {
    const inbound = fresh();
    const bounds = limits(1000);
    expect(through(bounds, inbound, 0, 5000)).toEqual([2000, 'flood']);
    expect(through(bounds, inbound, 0, 5501)).toEqual([500, 'flood']);
    expect(through(bounds, inbound, 0, 60_000)).toEqual([2000, 'flood']);
  });

  it('is never fewer frames than twice the messages, however low the bound on frames', () => {
    expect(through(limits(2, 1_048_576, 100), fresh(), 0, 5000)).toEqual([400, 'flood']);
  });

  it('permit two seconds’ worth of bytes at once; more is refused, and closes after as much again', () => {
    const inbound = fresh();
    const bounds = limits(1_000_000, 100_000);
    expect(through(bounds, inbound, 994, 5000)).toEqual([200, 'tooManyBytes']);
    expect(bounds.retryAfterMs(inbound)).toBe(10);
    let refused = 1;
    while (bounds.take(inbound, 994, 5000) === 'tooManyBytes') refused++;
    expect(refused).toBe(200);
  });

  it('are available again after the stated wait', () => {
    const inbound = fresh();
    const bounds = limits(1_000_000, 100_000);
    through(bounds, inbound, 49_994, 5000);
    expect(bounds.take(inbound, 0, 5000 + bounds.retryAfterMs(inbound) + 1)).toBe('ok');
  });

  it('counts the frame itself, so that empty ones are not free', () => {
    const [count] = through(limits(10_000_000, 60_000), fresh(), 0, 5000);
    expect(count).toBe(20_000);
  });

  it('permit 100 messages of 4 KB a second, for ten minutes, and a message of 64 KiB every second', () => {
    const inbound = fresh();
    const bounds = limits();
    const refusedAtMs: number[] = [];
    for (let ms = 10; ms < 600_000; ms += 10) {
      if (bounds.take(inbound, 4096, ms) !== 'ok') refusedAtMs.push(ms);
      if (ms % 1000 === 0 && bounds.take(inbound, 65_536, ms) !== 'ok') refusedAtMs.push(ms);
    }
    expect(refusedAtMs).toEqual([]);
  });

  it('neither gains nor loses by a clock that steps back', () => {
    const inbound = fresh();
    const bounds = limits(10, 1_048_576, 1);
    expect(through(bounds, inbound, 0, 10_000_000)[0]).toBe(20);
    expect(through(bounds, inbound, 0, 1000)[0]).toBe(0);
  });
});
