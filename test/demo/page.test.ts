import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pace } from '../../src/demo/pace.ts';
import { foldBuckets } from '../../src/demo/page/fold-buckets.ts';
import { NumberCheck } from '../../src/demo/page/number-check.ts';
import { PriceHistory } from '../../src/demo/page/price-history.ts';
import { Seconds } from '../../src/demo/page/seconds.ts';

describe('NumberCheck', () => {
  const checked = (...numbers: (number | [run: string, n: number])[]) => {
    const check = new NumberCheck();
    for (const one of numbers) check.receive(typeof one === 'number' ? { run: 'a', n: one } : { run: one[0], n: one[1] });
    const { received, missing, repeated, last } = check;
    return { received, missing, repeated, last };
  };

  it('finds no error in numbers that count up, wherever it starts', () => {
    expect(checked(17, 18, 19)).toEqual({ received: 3, missing: 0, repeated: 0, last: 19 });
  });

  it('counts every missing number, and every repeated or late one', () => {
    expect(checked(1, 2, 6, 7)).toMatchObject({ missing: 3, repeated: 0 });
    expect(checked(1, 2, 2, 1, 3)).toMatchObject({ missing: 0, repeated: 2 });
  });

  it('starts again with a new run, and after a resync', () => {
    expect(checked(5, ['b', 1], ['b', 2])).toMatchObject({ missing: 0, repeated: 0, last: 2 });
    const check = new NumberCheck();
    check.receive({ run: 'a', n: 5 });
    check.startOver();
    check.receive({ run: 'a', n: 90 });
    expect([check.missing, check.last]).toEqual([0, 90]);
  });
});

describe('PriceHistory', () => {
  it('keeps the latest points, in order, as a plain list would', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000)), fc.integer({ min: 1, max: 20 }), fc.nat(1000), (times, max, since) => {
        const history = new PriceHistory(max);
        const all: number[] = [];
        for (const [price, time] of times.entries()) {
          history.push(time, price);
          all.push(Math.max(time, all.at(-1) ?? 0));
        }
        const kept = all.slice(-max);
        const first = kept.findIndex((time) => time >= since);
        const from = first === -1 ? Math.max(0, kept.length - 1) : Math.max(0, first - 1);
        const [timesMs, prices] = history.since(since);
        expect([...timesMs]).toEqual(kept.slice(from));
        expect([...prices]).toEqual(
          all
            .map((_, price) => price)
            .slice(-max)
            .slice(from),
        );
      }),
    );
  });

  it('remembers where nothing is known, a bounded number of times', () => {
    const history = new PriceHistory(10);
    history.break();
    history.push(1, 1);
    expect(history.breaks).toEqual([]);
    history.break();
    history.break();
    history.push(5, 1);
    expect(history.breaks).toEqual([[1, 5]]);
    for (let time = 6; time < 500; time++) {
      history.break();
      history.push(time, 1);
    }
    expect(history.breaks).toHaveLength(100);
    expect(history.breaks.at(-1)).toEqual([498, 499]);
  });
});

describe('Seconds', () => {
  it('counts by the second of publication and by source, and drops old seconds', () => {
    const seconds = new Seconds(3);
    seconds.add(10_000, 'live');
    seconds.add(10_999, 'live');
    seconds.add(11_500, 'recovered');
    expect(seconds.until(12_400)).toEqual([
      { live: 2, recovered: 0 },
      { live: 0, recovered: 1 },
      { live: 0, recovered: 0 },
    ]);
    for (let second = 20; second < 1000; second++) seconds.add(second * 1000, 'live');
    expect(seconds.until(12_400)[0]).toEqual({ live: 0, recovered: 0 });
    expect(seconds.until(999_000).map(({ live }) => live)).toEqual([1, 1, 1]);
  });
});

describe('foldBuckets', () => {
  it('adds each bucket where its upper bound belongs, and what exceeds all bounds to the last', () => {
    const buckets = [
      { upToMs: 0.1, count: 1 },
      { upToMs: 1, count: 2 },
      { upToMs: 1.1, count: 4 },
      { upToMs: 500, count: 8 },
    ];
    expect(foldBuckets(buckets, [1, 2, 4])).toEqual([3, 4, 8]);
    expect(foldBuckets([], [1, 2])).toEqual([0, 0]);
  });
});

describe('pace', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('keeps the rate, above and below the timer’s own, only while somebody subscribes', async () => {
    for (const perSecond of [3, 50, 1000]) {
      let published = 0;
      let wanted = true;
      const stop = pace(
        perSecond,
        () => wanted,
        () => published++,
      );
      await vi.advanceTimersByTimeAsync(10_000);
      expect(Math.abs(published - perSecond * 10)).toBeLessThanOrEqual(perSecond / 50 + 1);
      wanted = false;
      const before = published;
      await vi.advanceTimersByTimeAsync(10_000);
      expect(published).toBe(before);
      wanted = true;
      stop();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(published).toBe(before);
    }
  });

  it('makes up for a second’s stall a few at a time, and for no more', async () => {
    const atOnce: number[] = [];
    let published = 0;
    const stop = pace(
      1000,
      () => true,
      () => published++,
    );
    const now = vi.spyOn(performance, 'now');
    now.mockReturnValue(performance.now() + 3_600_000);
    for (let turn = 0; turn < 40; turn++) {
      const before = published;
      await vi.advanceTimersByTimeAsync(10);
      atOnce.push(published - before);
    }
    stop();
    now.mockRestore();
    expect(Math.max(...atOnce)).toBe(50);
    expect(published).toBe(1000);
  });
});
