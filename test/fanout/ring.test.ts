import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../src/fanout/ring.ts';
import { RingBudget } from '../../src/fanout/ring-budget.ts';
import { item } from '../support/fanout-fixtures.ts';

const ring = (bounds: { itemsMax?: number; bytesMax?: number } = {}, baseOffset = 0) =>
  new Ring({ itemsMax: 1000, bytesMax: 1_000_000, ...bounds }, baseOffset, new RingBudget(1_000_000_000));

const offsets = (items: readonly { offset: number }[]) => items.map(({ offset }) => offset);

describe('Ring', () => {
  it('stands at its base while it is empty', () => {
    const empty = ring({}, 41);
    expect(empty).toMatchObject({ first: 0, next: 0, headOffset: 41, baseOffset: 41, bytes: 0 });
    expect(empty.slice(0, 0)).toEqual([]);
    expect(empty.sequenceAfter(41)).toBe(0);
    expect(empty.sequenceAfter(40)).toBeUndefined();
    expect(empty.sequenceAfter(42)).toBeUndefined();
  });

  it('lets the oldest go past its count, and says from where it can serve', () => {
    const small = ring({ itemsMax: 3 });
    for (const offset of [10, 20, 30, 40, 50]) small.push(item(offset));
    expect(offsets(small.slice(0, small.next))).toEqual([30, 40, 50]);
    expect(small).toMatchObject({ first: 2, next: 5, baseOffset: 20, headOffset: 50 });
    expect(small.sequenceAfter(19)).toBeUndefined();
    expect(small.sequenceAfter(20)).toBe(2);
  });

  it('lets the oldest go past its bytes, at the bound exactly', () => {
    const bytes = item(1).bytes;
    const small = ring({ bytesMax: bytes * 3 });
    for (let offset = 1; offset <= 3; offset++) small.push(item(offset));
    expect(small).toMatchObject({ first: 0, bytes: bytes * 3 });
    small.push(item(4));
    expect(small).toMatchObject({ first: 1, bytes: bytes * 3 });
  });

  it('keeps its newest item whatever its size', () => {
    const small = ring({ bytesMax: 10 });
    small.push(item(1, { value: 'x'.repeat(1000) }));
    small.push(item(2, { value: 'y'.repeat(1000) }));
    expect(offsets(small.slice(0, 2))).toEqual([2]);
    expect(small.evictOldest()).toBe(0);
    expect(small.headOffset).toBe(2);
  });

  it('gives everything back when it is cleared, and goes on from its head', () => {
    const budget = new RingBudget(1_000_000);
    const cleared = new Ring({ itemsMax: 10, bytesMax: 10_000 }, 0, budget);
    for (let offset = 1; offset <= 20; offset++) cleared.push(item(offset));
    cleared.clear();
    expect(cleared).toMatchObject({ first: 20, next: 20, bytes: 0, baseOffset: 20, headOffset: 20 });
    expect(budget.bytes).toBe(0);
  });

  it('is the same list after a burst has been let go as it was before', () => {
    const tried = ring();
    const all = Array.from({ length: 200 }, (_, offset) => item(offset + 1));
    for (const one of all.slice(0, 150)) tried.push(one);
    while (tried.evictOldest() > 0);
    for (const one of all.slice(150)) tried.push(one);
    expect(tried).toMatchObject({ first: 149, next: 200, baseOffset: 149 });
    expect(offsets(tried.slice(0, tried.next))).toEqual(offsets(all.slice(149)));
    for (let offset = 149; offset <= 200; offset++) expect(tried.sequenceAfter(offset)).toBe(offset);
  });

  it('is a list with its front cut off, whatever is pushed', () => {
    const gaps = fc.array(fc.record({ gap: fc.integer({ min: 1, max: 5 }), length: fc.nat(200) }), { maxLength: 100 });
    const bounds = fc.record({ itemsMax: fc.integer({ min: 1, max: 40 }), bytesMax: fc.integer({ min: 1, max: 10_000 }) });
    fc.assert(
      fc.property(bounds, gaps, fc.nat(10), (limits, pushes, baseOffset) => {
        const tried = ring(limits, baseOffset);
        let offset = baseOffset;
        const all = pushes.map(({ gap, length }) => {
          offset += gap;
          const pushed = item(offset, { value: 'x'.repeat(length) });
          tried.push(pushed);
          return pushed;
        });
        const kept = all.slice(tried.first);
        expect(tried.slice(0, tried.next)).toEqual(kept);
        expect(tried.next).toBe(all.length);
        expect(tried.bytes).toBe(kept.reduce((sum, { bytes }) => sum + bytes, 0));
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(1, all.length));
        if (kept.length > 1) {
          expect(kept.length).toBeLessThanOrEqual(limits.itemsMax);
          expect(tried.bytes).toBeLessThanOrEqual(limits.bytesMax);
        }
        // No more than had to go.
        const withOneMore = tried.bytes + (all[tried.first - 1]?.bytes ?? 0);
        if (tried.first > 0) expect(kept.length + 1 > limits.itemsMax || withOneMore > limits.bytesMax).toBe(true);
        for (let after = baseOffset - 1; after <= offset + 1; after++) {
          const evicted = all.slice(0, tried.first).some((gone) => gone.offset > after);
          const known = after >= baseOffset && after <= offset && !evicted;
          expect(tried.sequenceAfter(after)).toBe(known ? all.filter((other) => other.offset <= after).length : undefined);
        }
      }),
    );
  });
});
