import fc from 'fast-check';
import { expect, it } from 'vitest';
import { top } from '../../src/telemetry/top.ts';

it('selects the same as a full sort, and keeps the order of equal ones', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.integer({ min: 1, max: 12 }), (weights, max) => {
      const items = weights.map((weight, place) => ({ weight, place }));
      const expected = items.toSorted((a, b) => b.weight - a.weight || a.place - b.place).slice(0, max);
      expect(top(items, max, ({ weight }) => weight)).toEqual(expected);
    }),
  );
});
