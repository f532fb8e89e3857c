import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheBudget } from '../../src/hub/cache-budget.ts';
import { bytesOf, TopicCache } from '../../src/hub/topic-cache.ts';
import type { LinkItem } from '../../src/link/messages.ts';

const item = (offset: number, bytes = 10): LinkItem => ({ offset, key: null, data: Buffer.alloc(bytes), publishedAtMs: offset });
const offsets = (items: readonly LinkItem[] | undefined) => items?.map(({ offset }) => offset);

describe("a topic's cache", () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('push' as const),
        gap: fc.integer({ min: 1, max: 3 }),
        bytes: fc.integer({ min: 1, max: 400 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), back: fc.nat(40), upTo: fc.nat(8) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('halve' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  );

  it('has everything after its base and nothing else, within its bounds, whatever is pushed and read', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 30 }), (steps, gaps) => {
        const bounds = { itemsMax: 12, bytesMax: 4000 };
        let counted = 0;
        const all: LinkItem[] = [];
        let end = 0;
        const append = (gap: number, bytes?: number) => {
          end += gap;
          all.push(item(end, bytes));
        };
        for (const gap of gaps) append(gap);
        const cache = new TopicCache(bounds, end, (change) => {
          counted += change;
        });
        for (const each of steps) {
          if (each.do === 'push') {
            append(each.gap, each.bytes);
            cache.push(all.at(-1)!);
          } else if (each.do === 'read') {
            const after = Math.max(0, end - each.back);
            const upTo = end - each.upTo;
            cache.prepend(
              all.filter(({ offset }) => offset > after && offset <= upTo),
              after,
              upTo,
            );
          } else if (each.do === 'halve') cache.halve();
          else cache.clear(end);
          const expected = all.filter(({ offset }) => offset > cache.base);
          expect(offsets(cache.after(cache.base))).toEqual(offsets(expected));
          expect(cache.size).toBe(expected.length);
          expect(cache.bytes).toBe(expected.reduce((sum, one) => sum + bytesOf(one), 0));
          expect(counted).toBe(cache.bytes);
          expect(cache.size).toBeLessThanOrEqual(bounds.itemsMax);
          expect(cache.bytes).toBeLessThanOrEqual(bounds.bytesMax);
          if (cache.base > 0) expect(cache.after(cache.base - 1)).toBeUndefined();
          expect(offsets(cache.last(3))).toEqual(offsets(expected.slice(-3)));
        }
      }),
    );
  });

  it('takes what was read only where it meets what it has, and as much as has room', () => {
    const cache = new TopicCache({ itemsMax: 5, bytesMax: 1_000_000 }, 10);
    cache.push(item(12));
    cache.prepend([item(3), item(7)], 2, 9);
    expect(cache.base).toBe(10);
    cache.prepend([item(3), item(7), item(9), item(12), item(14)], 2, 14);
    expect([cache.base, ...offsets(cache.after(cache.base))!]).toEqual([2, 3, 7, 9, 12]);
    cache.prepend([item(1), item(2)], 0, 12);
    expect([cache.base, ...offsets(cache.after(cache.base))!]).toEqual([1, 2, 3, 7, 9, 12]);
  });

  it('of no size keeps nothing, and knows it', () => {
    const cache = new TopicCache({ itemsMax: 0, bytesMax: 0 }, 0);
    cache.push(item(5));
    cache.prepend([item(5)], 0, 5);
    expect({ size: cache.size, after4: cache.after(4), after5: cache.after(5) }).toEqual({ size: 0, after4: undefined, after5: [] });
  });
});

describe('the budget of all caches', () => {
  it('is kept, whichever topics are busy, and every cache stays whole after its base', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ of: fc.nat(4), bytes: fc.integer({ min: 1, max: 900 }) }), { maxLength: 200 }), (pushes) => {
        const budget = new CacheBudget({ itemsMax: 100, bytesMax: 100_000 }, 8000);
        const caches = Array.from({ length: 5 }, () => budget.create(0));
        const all: LinkItem[][] = caches.map(() => []);
        for (const [index, { of, bytes }] of pushes.entries()) {
          all[of]!.push(item(index + 1, bytes));
          caches[of]!.push(all[of]!.at(-1)!);
          budget.keep();
          expect(budget.bytes).toBeLessThanOrEqual(8000);
          expect(budget.bytes).toBe(caches.reduce((sum, cache) => sum + cache.bytes, 0));
          const cache = caches[of]!;
          expect(offsets(cache.after(cache.base))).toEqual(offsets(all[of]!.filter(({ offset }) => offset > cache.base)));
        }
        for (const cache of caches) budget.remove(cache);
        expect(budget.bytes).toBe(0);
      }),
    );
  });
});
