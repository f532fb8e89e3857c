import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatestByKey } from '../../src/recent/latest-by-key.ts';
import { LatestItem } from '../../src/recent/latest-item.ts';
import { plain as item, PLAIN_FORM, type PlainItem } from '../support/recent-fixtures.ts';

describe('LatestItem', () => {
  it('answers as the state of a keyed topic would that has a single key', () => {
    const place = fc.record({ sequence: fc.integer({ min: -1, max: 6 }), offset: fc.nat(12) });
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(fc.boolean(), { maxLength: 5 }),
        fc.array(place, { minLength: 1 }),
        fc.nat(6),
        (fromState, removals, places, until) => {
          const one = new LatestItem<PlainItem>(3);
          const byKey = new LatestByKey(PLAIN_FORM, 10, 3);
          for (const state of [one, byKey]) {
            if (fromState) state.set(item(3), -1);
            for (const [at, removed] of removals.entries()) state.set(item(4 + 2 * at, removed ? { removed } : {}), at);
          }
          expect(one.completeFrom).toBe(byKey.completeFrom);
          for (const from of places) {
            expect(one.after(from.offset)).toEqual(byKey.after(from.offset));
            expect(one.between(from.sequence, until)).toEqual(byKey.between(from.sequence, until));
            for (const options of [{ bytesMax: 1 }, { bytesMax: 1, until }, { bytesMax: 1, withoutRemoved: true }])
              expect(one.next(from, options)).toEqual(byKey.next(from, options));
          }
        },
      ),
    );
  });
});
