import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oweToken, RateLimits, takeToken } from '../../src/telemetry/rate-limit.ts';

const fresh = () => ({ rateTokens: Number.POSITIVE_INFINITY, rateAtMs: 0 });

/** How many of `count` takes at one moment go through. */
function granted(bucket: { rateTokens: number; rateAtMs: number }, perSecond: number, nowMs: number, count: number): number {
  let passed = 0;
  for (let i = 0; i < count; i++) if (takeToken(bucket, perSecond, nowMs) === 0) passed++;
  return passed;
}

describe('takeToken', () => {
  it('permits a burst of twice the rate, then the rate', () => {
    const bucket = fresh();
    expect(granted(bucket, 10, 1000, 100)).toBe(20);
    expect(granted(bucket, 10, 1500, 100)).toBe(5);
    expect(granted(bucket, 10, 2500, 100)).toBe(10);
    expect(granted(bucket, 10, 60_000, 100)).toBe(20);
  });

  it('says how long to wait, and then permits one', () => {
    const bucket = fresh();
    granted(bucket, 10, 1000, 20);
    expect(takeToken(bucket, 10, 1000)).toBe(100);
    expect(takeToken(bucket, 10, 1040)).toBe(60);
    expect(takeToken(bucket, 10, 1099)).toBeGreaterThan(0);
    expect(takeToken(bucket, 10, 1101)).toBe(0);
  });

  it('is not affected by a clock that steps back', () => {
    const bucket = fresh();
    expect(granted(bucket, 10, 10_000_000, 20)).toBe(20);
    expect(granted(bucket, 10, 1000, 20)).toBe(0);
    expect(granted(bucket, 10, 2000, 20)).toBe(10);
  });

  it('never permits more than the rate and one burst, at any times', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.record({ afterMs: fc.nat(3000), count: fc.nat(200) }), { maxLength: 30 }),
        (perSecond, asks) => {
          const bucket = fresh();
          const startMs = 1_000_000;
          let nowMs = startMs;
          let passed = 0;
          for (const { afterMs, count } of asks) {
            nowMs += afterMs;
            passed += granted(bucket, perSecond, nowMs, count);
            expect(passed).toBeLessThanOrEqual(perSecond * 2 + ((nowMs - startMs) / 1000) * perSecond + 1e-6);
          }
        },
      ),
    );
  });
});

describe('oweToken', () => {
  const passing = (bucket: ReturnType<typeof fresh>, nowMs: number, count: number) =>
    Array.from({ length: count }, () => oweToken(bucket, 10, nowMs)).filter((waitMs) => waitMs === 0).length;

  it('permits a burst of twice the rate, then the rate', () => {
    const bucket = fresh();
    expect(passing(bucket, 1000, 20)).toBe(20);
    for (let second = 1; second < 5; second++) expect(passing(bucket, 1000 + second * 1000, 10)).toBe(10);
  });

  it('makes a refused client wait until its debt is paid, and says how long', () => {
    const bucket = fresh();
    passing(bucket, 1000, 20);
    expect(oweToken(bucket, 10, 1000)).toBe(100);
    expect(oweToken(bucket, 10, 1000)).toBe(200);
    expect(oweToken(bucket, 10, 1000)).toBe(300);
    expect(oweToken(bucket, 10, 1400)).toBe(0);
  });

  it('calls it a flood at one more than twice the rate of refused ones', () => {
    const bucket = fresh();
    passing(bucket, 1000, 20);
    const refused = Array.from({ length: 21 }, () => oweToken(bucket, 10, 1000));
    expect(refused.indexOf('flood')).toBe(20);
  });

  it('is not affected by a clock that steps back', () => {
    const bucket = fresh();
    passing(bucket, 10_000_000, 20);
    expect(passing(bucket, 1000, 1)).toBe(0);
    expect(passing(bucket, 2000, 5)).toBe(5);
  });
});

describe('RateLimits', () => {
  it('have a bucket for each name', () => {
    const rates = new RateLimits(2, 10);
    expect(['a', 'a', 'a', 'b'].map((name) => rates.take(name, 1000))).toEqual([0, 0, 500, 0]);
    expect(rates.take('a', 1500)).toBe(0);
  });

  it('are bounded: the one without use for the longest is forgotten', () => {
    const rates = new RateLimits(1, 2);
    for (const name of ['a', 'b', 'a', 'c']) rates.take(name, 1000);
    expect(rates.size).toBe(2);
    expect(rates.take('a', 1000)).toBeGreaterThan(0);
    expect(rates.take('b', 1000)).toBe(0);
  });

  it('forget those whose buckets are full', () => {
    const rates = new RateLimits(5, 10);
    rates.take('a', 0);
    rates.take('b', 1500);
    rates.forgetFull(2000);
    expect(rates.size).toBe(1);
    rates.forgetFull(3500);
    expect(rates.size).toBe(0);
  });
});
