import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClockEstimate } from '../../src/client/clock.ts';
import { Histogram } from '../../src/client/histogram.ts';
import { Liveness } from '../../src/client/liveness.ts';
import { Pacer } from '../../src/client/pacer.ts';
import { refreshDelayMs } from '../../src/client/token-refresher.ts';
import { InboundLimits } from '../../src/session/inbound-limits.ts';
import { takeToken } from '../../src/telemetry/rate-limit.ts';

describe('the clock estimate', () => {
  it('trusts the sample with the shortest round trip, since its error is half of that at most', () => {
    const clock = new ClockEstimate();
    expect(clock.offsetMs).toBeUndefined();
    clock.add(1000, 1100, 6000);
    expect(clock.offsetMs).toBe(4950);
    clock.add(2000, 2010, 7008);
    clock.add(3000, 3500, 8400);
    expect(clock.offsetMs).toBe(5003);
    expect(clock.rttMs).toBe(10);
  });

  it('follows a clock that drifts, once the old samples are dropped', () => {
    const clock = new ClockEstimate();
    expect(clock.add(0, 2, 5001)).toBe(false);
    for (let i = 1; i <= 16; i++) expect(clock.add(i * 100, i * 100 + 20, i * 100 + 10 + 5003)).toBe(false);
    expect(clock.offsetMs).toBe(5003);
  });

  it('starts again with a sample outside the error range: a clock was set, or stopped while the machine slept', () => {
    const clock = new ClockEstimate();
    clock.add(0, 1, 5000);
    expect(clock.add(1000, 1500, 3_600_000)).toBe(true);
    expect([clock.offsetMs, clock.rttMs]).toEqual([3_598_750, 500]);
  });

  it('ignores a sample that is not a number', () => {
    const clock = new ClockEstimate();
    for (const [sentAtMs, serverTimeMs] of [
      [Number.NaN, 5000],
      [0, Number.NaN],
      [0, undefined as unknown as number],
    ] as const)
      clock.add(sentAtMs, 10, serverTimeMs);
    expect(clock.offsetMs).toBeUndefined();
  });

  it('ignores a sample from a clock that ran backwards, and drops those of another node', () => {
    const clock = new ClockEstimate();
    clock.add(100, 50, 5000);
    expect(clock.offsetMs).toBeUndefined();
    clock.add(100, 150, 5000);
    clock.reset();
    expect(clock.offsetMs).toBeUndefined();
  });
});

describe('the histogram', () => {
  it('has percentiles within a bucket’s width of the true ones', () => {
    const value = fc.double({ min: 0.1, max: 60_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), (values) => {
        const histogram = new Histogram();
        for (const one of values) histogram.add(one, 1);
        const sorted = values.toSorted((a, b) => a - b);
        const { p50Ms, p99Ms, maxMs, minMs, count, buckets } = histogram.summary();
        for (const [share, found] of [
          [0.5, p50Ms],
          [0.99, p99Ms],
        ] as const) {
          const exact = sorted[Math.ceil(values.length * share) - 1] as number;
          expect(found).toBeGreaterThanOrEqual(exact * 0.9999);
          expect(found).toBeLessThanOrEqual(exact * 2 ** (1 / 8) * 1.0001);
        }
        expect([count, minMs, maxMs]).toEqual([values.length, sorted[0], sorted.at(-1)]);
        expect(buckets.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(count);
      }),
    );
  });

  it('counts values below zero as zero, values beyond the last bucket in it, and can be reset', () => {
    const histogram = new Histogram();
    histogram.add(-3, 2);
    histogram.add(1e9, 1);
    expect(histogram.summary()).toMatchObject({ count: 3, minMs: 0, maxMs: 1e9, p50Ms: 0.0625 });
    histogram.reset();
    expect(histogram.summary()).toEqual({ count: 0, meanMs: 0, minMs: 0, maxMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, buckets: [] });
  });
});

describe('liveness', () => {
  const INTERVAL_MS = 25_000;
  const TIMEOUT_MS = 5000;
  const liveness = () => new Liveness(INTERVAL_MS, TIMEOUT_MS, 0);

  it('pings at once, and then every interval while it hears something', () => {
    const made = liveness();
    expect(made.poll(0)).toEqual({ action: 'ping', nextAtMs: 5000 });
    made.heard();
    expect(made.poll(5000)).toEqual({ action: 'wait', nextAtMs: 25_000 });
    expect(made.poll(25_000)).toEqual({ action: 'ping', nextAtMs: 30_000 });
  });

  it('is dead with the second ping that stays unanswered', () => {
    const made = liveness();
    made.poll(0);
    made.heard();
    expect(made.poll(25_000).action).toBe('ping');
    expect(made.poll(30_000)).toEqual({ action: 'ping', nextAtMs: 35_000 });
    expect(made.poll(35_000).action).toBe('dead');
  });

  it('counts any received data as a sign of life', () => {
    const made = liveness();
    made.poll(0);
    expect(made.poll(5000).action).toBe('ping');
    made.heard();
    expect(made.poll(30_000).action).toBe('ping');
    expect(made.poll(35_000).action).toBe('ping');
    expect(made.poll(40_000).action).toBe('dead');
  });

  it('counts no miss if a timer is late because this process slept', () => {
    const made = liveness();
    made.poll(0);
    expect(made.poll(5000).action).toBe('ping');
    expect(made.poll(500_000).action).toBe('ping');
    expect(made.poll(505_000).action).toBe('dead');
  });

  it('pings immediately on request', () => {
    const made = liveness();
    made.poll(0);
    made.heard();
    made.probe(7000);
    expect(made.poll(7000)).toEqual({ action: 'ping', nextAtMs: 12_000 });
  });
});

describe('the pacer', () => {
  it('keeps below the server’s own limit, however it is used, with room for a ping a second', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 300 }), fc.integer({ min: 2, max: 200 }), (pauses, perSecond) => {
        const pacer = new Pacer(perSecond, 0);
        const bucket = { rateTokens: Number.POSITIVE_INFINITY, rateAtMs: 0 };
        let nowMs = 0;
        let pingedMs = 0;
        for (const pauseMs of pauses) {
          nowMs += pauseMs;
          while (pacer.take(nowMs) === 0) expect(takeToken(bucket, perSecond, nowMs)).toBe(0);
          if (nowMs - pingedMs < 10_000) continue;
          pingedMs = nowMs;
          expect(takeToken(bucket, perSecond, nowMs)).toBe(0);
        }
      }),
    );
  });

  it('stays below the server’s limit of bytes, with messages of any accepted size', () => {
    const sizes = fc.integer({ min: 20, max: 65_536 });
    fc.assert(
      fc.property(fc.array(fc.record({ pauseMs: fc.nat(3000), bytes: sizes, count: fc.nat(30) }), { maxLength: 100 }), (sends) => {
        const limits = { framesPerSecondMax: 1000, messagesPerSecondMax: 100, bytesPerSecondMax: 65_536 };
        const pacer = new Pacer(limits.messagesPerSecondMax, 0, limits.bytesPerSecondMax);
        const server = new InboundLimits(limits);
        const inbound = { frameTokens: Number.POSITIVE_INFINITY, byteTokens: Number.POSITIVE_INFINITY, inboundAtMs: 0 };
        let nowMs = 0;
        for (const { pauseMs, bytes, count } of sends) {
          nowMs += pauseMs;
          for (let i = 0; i < count && pacer.take(nowMs, bytes) === 0; i++) expect(server.take(inbound, bytes, nowMs)).toBe('ok');
        }
      }),
    );
  });

  it('says when the next message may go after a large one', () => {
    const pacer = new Pacer(10, 0, 10_000);
    expect(pacer.take(0, 18_000)).toBe(0);
    const waitMs = pacer.take(0, 10);
    expect(waitMs).toBe(1000);
    expect(pacer.take(waitMs - 1, 10)).toBeGreaterThan(0);
    expect(pacer.take(waitMs, 10)).toBe(0);
  });

  it('says when the next message may go', () => {
    const pacer = new Pacer(10, 0);
    for (let i = 0; i < 10; i++) expect(pacer.take(0)).toBe(0);
    const waitMs = pacer.take(0);
    expect(waitMs).toBe(112);
    expect(pacer.take(waitMs - 2)).toBeGreaterThan(0);
    expect(pacer.take(waitMs)).toBe(0);
  });

  it('stops for a pause that the server asks for', () => {
    const pacer = new Pacer(10, 0);
    pacer.pause(1000);
    expect(pacer.take(0)).toBeGreaterThanOrEqual(1000);
    expect(pacer.take(1200)).toBe(0);
  });
});

describe('the refresh of a token', () => {
  it('is before its end, earlier for a longer-lived one, and not the same time for all', () => {
    expect(refreshDelayMs(3_600_000, 0)).toBe(3_570_000);
    expect(refreshDelayMs(3_600_000, 0.999)).toBeGreaterThan(3_584_000);
    expect(refreshDelayMs(8000, 0)).toBe(6000);
    expect(refreshDelayMs(-5, 0)).toBe(0);
  });
});
