import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../src/recent/ring.ts';
import { budgetOf, type Limits, offsetsOf, type PlainItem, plain } from '../support/recent-fixtures.ts';

const ring = (limits: Limits = {}, baseOffset = 0) => new Ring(budgetOf(limits), baseOffset);

describe('Ring', () => {
  it('is at its base while it is empty', () => {
    const empty = ring({}, 41);
    expect(empty).toMatchObject({ first: 0, next: 0, headOffset: 41, baseOffset: 41, bytes: 0 });
    expect(empty.slice(0, 0)).toEqual([]);
    expect([empty.sequenceAfter(41), empty.sequenceAfter(40), empty.sequenceAfter(42)]).toEqual([0, undefined, undefined]);
    expect([empty.after(41), empty.after(40)]).toEqual([[], undefined]);
  });

  it('evicts the oldest past its count, and says from where it can serve', () => {
    const small = ring({ itemsPerTopicMax: 3 });
    for (const offset of [10, 20, 30, 40, 50]) small.push(plain(offset));
    expect(offsetsOf(small.slice(0, small.next))).toEqual([30, 40, 50]);
    expect(small).toMatchObject({ first: 2, next: 5, baseOffset: 20, headOffset: 50 });
    expect([small.sequenceAfter(19), small.sequenceAfter(20)]).toEqual([undefined, 2]);
  });

  it('evicts the oldest past its bytes, at the bound exactly', () => {
    const small = ring({ bytesPerTopicMax: 30 });
    for (let offset = 1; offset <= 3; offset++) small.push(plain(offset));
    expect(small).toMatchObject({ first: 0, bytes: 30 });
    small.push(plain(4));
    expect(small).toMatchObject({ first: 1, bytes: 30 });
  });

  it('keeps its newest item, even one larger than the byte limit', () => {
    const small = ring({ bytesPerTopicMax: 10 });
    small.push(plain(1, { bytes: 1000 }));
    small.push(plain(2, { bytes: 1000 }));
    expect(offsetsOf(small.slice(0, 2))).toEqual([2]);
    expect(small.evictOldest()).toBe(0);
    expect(small.headOffset).toBe(2);
  });

  it('releases all bytes when it is cleared, and continues from its head', () => {
    const budget = budgetOf();
    const cleared = new Ring(budget, 0);
    for (let offset = 1; offset <= 20; offset++) cleared.push(plain(offset));
    cleared.clear();
    expect(cleared).toMatchObject({ first: 20, next: 20, bytes: 0, baseOffset: 20, headOffset: 20 });
    expect(budget.bytes).toBe(0);
  });

  it('is the same list after a burst has been evicted as it was before', () => {
    const tried = ring();
    const all = Array.from({ length: 200 }, (_, offset) => plain(offset + 1));
    for (const one of all.slice(0, 150)) tried.push(one);
    while (tried.evictOldest() > 0);
    for (const one of all.slice(150)) tried.push(one);
    expect(tried).toMatchObject({ first: 149, next: 200, baseOffset: 149 });
    expect(offsetsOf(tried.slice(0, tried.next))).toEqual(offsetsOf(all.slice(149)));
    for (let offset = 149; offset <= 200; offset++) expect(tried.sequenceAfter(offset)).toBe(offset);
  });

  it('adds what was read only if it is contiguous, and as much as fits', () => {
    const tried = ring({ itemsPerTopicMax: 5 }, 10);
    tried.push(plain(12));
    tried.prepend([plain(3), plain(7)], 2, 9);
    expect(tried.baseOffset).toBe(10);
    tried.prepend([plain(3), plain(7), plain(9), plain(12), plain(14)], 2, 14);
    expect([tried.baseOffset, offsetsOf(tried.after(2))]).toEqual([2, [3, 7, 9, 12]]);
    tried.prepend([plain(1), plain(2)], 0, 12);
    expect([tried.baseOffset, offsetsOf(tried.after(1))]).toEqual([1, [2, 3, 7, 9, 12]]);
    tried.push(plain(13));
    expect([tried.baseOffset, offsetsOf(tried.after(2))]).toEqual([2, [3, 7, 9, 12, 13]]);
  });

  /** What happens to a topic: it gets publications, its log is read, its items are evicted for others. */
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('push' as const), gap: fc.integer({ min: 1, max: 3 }), bytes: fc.nat(400) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), back: fc.nat(60), upTo: fc.nat(8) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const), count: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  );
  const bounds = fc.record({
    itemsPerTopicMax: fc.integer({ min: 1, max: 40 }),
    bytesPerTopicMax: fc.integer({ min: 1, max: 6000 }),
    bytesMax: fc.constantFrom(3000, 1_000_000),
  });

  it('has exactly the items after its base, within its bounds, after any sequence of operations', () => {
    fc.assert(
      fc.property(
        bounds,
        fc.array(step, { maxLength: 80 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 30 }),
        (limits, steps, gaps) => {
          const all: PlainItem[] = [];
          let end = 0;
          const append = (gap: number, bytes = 10) => {
            end += gap;
            all.push(plain(end, { bytes }));
          };
          for (const gap of gaps) append(gap);
          const budget = budgetOf(limits);
          const tried = new Ring(budget, end);
          for (const each of steps) {
            if (each.do === 'push') {
              append(each.gap, each.bytes);
              tried.push(all.at(-1)!);
            } else if (each.do === 'read') {
              const after = Math.max(0, end - each.back);
              const upTo = end - each.upTo;
              const read = all.filter(({ offset }) => offset > after && offset <= upTo);
              tried.prepend(read, after, upTo);
            } else if (each.do === 'evict') for (let left = each.count; left > 0; left--) tried.evictOldest();
            else tried.clear();
            const expected = all.filter(({ offset }) => offset > tried.baseOffset);
            expect(tried.slice(tried.first, tried.next)).toEqual(expected);
            expect(tried.after(tried.baseOffset)).toEqual(expected);
            expect(tried.size).toBe(expected.length);
            expect(tried.bytes).toBe(expected.reduce((sum, { bytes }) => sum + bytes, 0));
            expect(budget.bytes).toBe(tried.bytes);
            if (expected.length > 1) {
              expect(expected.length).toBeLessThanOrEqual(limits.itemsPerTopicMax);
              expect(tried.bytes).toBeLessThanOrEqual(Math.min(limits.bytesPerTopicMax, limits.bytesMax));
            }
            expect(tried.last(3)).toEqual(expected.slice(-3));
            for (let offset = Math.max(0, tried.baseOffset - 2); offset <= end + 1; offset++) {
              const isHere = offset >= tried.baseOffset;
              expect(tried.after(offset)).toEqual(isHere ? expected.filter((one) => one.offset > offset) : undefined);
              const sequence =
                isHere && offset <= tried.headOffset ? tried.next - expected.filter((one) => one.offset > offset).length : undefined;
              expect(tried.sequenceAfter(offset)).toBe(sequence);
            }
          }
        },
      ),
    );
  });

  it('evicts no more than it must', () => {
    const pushes = fc.array(fc.nat(200), { maxLength: 100 });
    fc.assert(
      fc.property(bounds, pushes, ({ itemsPerTopicMax, bytesPerTopicMax }, sizes) => {
        const tried = ring({ itemsPerTopicMax, bytesPerTopicMax });
        const all = sizes.map((bytes, at) => plain(at + 1, { bytes }));
        for (const item of all) tried.push(item);
        expect(tried.next).toBe(all.length);
        if (tried.first === 0) return;
        const withOneMore = tried.bytes + all[tried.first - 1]!.bytes;
        expect(tried.size + 1 > itemsPerTopicMax || withOneMore > bytesPerTopicMax).toBe(true);
      }),
    );
  });
});
