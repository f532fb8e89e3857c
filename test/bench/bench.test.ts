import { describe, expect, it } from 'vitest';
import type { Tally } from '../../src/bench/messages.ts';
import { publishAll } from '../../src/bench/publisher.ts';
import { sequenceAt, timeUsAt } from '../../src/bench/stamp.ts';
import { judge, type Measured } from '../../src/bench/verdict.ts';

const STAMP_AT = '{"m":"'.length;

describe('publishing at a constant rate', () => {
  const plan = { count: 200, perSecond: 1000, payloadBytes: 80, run: 7, signal: new AbortController().signal };

  it('sends everything once, in order, each with the time at which it was due, however slow the answers are', async () => {
    const stamps: { sequence: number; timeUs: number }[] = [];
    let inFlight = 0;
    const send = async (payloads: readonly string[]) => {
      expect(++inFlight).toBe(1);
      for (const payload of payloads) {
        expect(JSON.parse(payload)).toHaveProperty('m');
        stamps.push({ sequence: sequenceAt(Buffer.from(payload), STAMP_AT), timeUs: timeUsAt(Buffer.from(payload), STAMP_AT) });
      }
      await new Promise((resolve) => setTimeout(resolve, 15));
      inFlight--;
      return [];
    };
    expect((await publishAll({ ...plan, send })).count).toBe(200);
    expect(stamps.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 200 }, (_, n) => n));
    const gaps = stamps.slice(1).map(({ timeUs }, at) => timeUs - (stamps[at]?.timeUs ?? 0));
    for (const gap of gaps) expect(Math.abs(gap - 1000)).toBeLessThanOrEqual(1);
  });

  it('counts what is refused by code, and ends early when it is told to', async () => {
    const ending = new AbortController();
    let requests = 0;
    const send = async (payloads: readonly string[]) => {
      if (++requests === 3) ending.abort();
      return payloads.map(() => 'busy');
    };
    const { count, refused } = await publishAll({ ...plan, count: 1_000_000, send, signal: ending.signal });
    expect([count, [...refused.keys()], requests]).toEqual([0, ['busy'], 3]);
  });
});

describe('the verdict', () => {
  const goals = { connections: 100, publications: 10, perSecond: 10, p99MaxMs: 500 };
  const tally: Tally = {
    delivered: 1000,
    repeated: 0,
    skipped: 0,
    behind: 0,
    closed: 0,
    refusal: '',
    buckets: [{ upToMs: 4, count: 1000 }],
    maxMs: 4,
  };
  const good: Measured = {
    ready: 100,
    openedInMs: 50,
    published: { count: 10, refused: new Map(), elapsedMs: 1000 },
    tallies: [tally],
    cpuShares: [0.2],
  };

  it('is good if all connections got everything in time', () => {
    const result = judge(goals, good);
    expect(result).toMatchObject({ verdict: 'good', reasons: [], deliveries: { expected: 1000, delivered: 1000 }, latency: { p99Ms: 4 } });
  });

  it('has no percentile above the longest latency, although those come from the bounds of buckets', () => {
    const { latency } = judge(goals, { ...good, tallies: [{ ...tally, maxMs: 3.7 }] });
    expect(latency).toEqual({ p50Ms: 3.7, p95Ms: 3.7, p99Ms: 3.7, maxMs: 3.7 });
  });

  it.each<[string, Partial<Measured>, RegExp]>([
    ['no connection', { ready: 0, tallies: [{ ...tally, refusal: 'HTTP/1.1 503' }] }, /^no connection could be opened: HTTP\/1.1 503$/],
    ['fewer connections', { ready: 90 }, /^only 90 of 100/],
    ['closed ones', { tallies: [{ ...tally, closed: 2, refusal: 'closed with 4103' }] }, /^2 connections were closed: closed with 4103/],
    ['refused publications', { published: { count: 9, refused: new Map([['busy', 1]]), elapsedMs: 900 } }, /1 busy/],
    ['a lower rate', { published: { count: 10, refused: new Map(), elapsedMs: 2000 } }, /^5.0 publications\/s were stored instead of 10/],
    ['missing deliveries', { tallies: [{ ...tally, delivered: 990, skipped: 5, behind: 5 }] }, /^10 deliveries are missing; 5 clients/],
    ['repeated ones', { tallies: [{ ...tally, repeated: 3 }] }, /^3 deliveries came twice/],
    [
      'latency',
      {
        tallies: [
          {
            ...tally,
            buckets: [
              { upToMs: 4, count: 980 },
              { upToMs: 900, count: 20 },
            ],
            maxMs: 900,
          },
        ],
      },
      /^p99 is \d+ ms, more than 500 ms/,
    ],
  ])('is bad with %s, and says why', (_, change, reason) => {
    const { verdict, reasons } = judge(goals, { ...good, ...change });
    expect([verdict, reasons[0]]).toEqual(['bad', expect.stringMatching(reason)]);
  });

  it('says if the clients of the bench were the bottleneck', () => {
    expect(judge(goals, { ...good, cpuShares: [0.3, 0.97] }).reasons).toEqual([expect.stringMatching(/used 97% of a core/)]);
  });
});
