import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../src/recent/ring.ts';
import { budgetOf, offsetsOf, type PlainItem, plain } from '../support/recent-fixtures.ts';

type Rings = Ring<PlainItem>;

function rings(count: number, itemsAllTopics: number, itemsPerTopicMax = 1000) {
  const budget = budgetOf({ bytesMax: 10 * itemsAllTopics, itemsPerTopicMax });
  return { budget, rings: Array.from({ length: count }, () => new Ring(budget, 0)) };
}

const kept = (ring: Rings) => offsetsOf(ring.slice(ring.first, ring.next));

describe('RecentBudget', () => {
  it('evicts the oldest item of the process first, whichever ring it is in', () => {
    const { budget, rings: all } = rings(2, 4);
    const [a, b] = all as [Rings, Rings];
    a.push(plain(1));
    b.push(plain(1));
    a.push(plain(2));
    b.push(plain(2));
    expect(budget.bytes).toBe(40);
    a.push(plain(3));
    expect([kept(a), kept(b)]).toEqual([
      [2, 3],
      [1, 2],
    ]);
    a.push(plain(4));
    expect([kept(a), kept(b)]).toEqual([[2, 3, 4], [2]]);
    expect(budget.bytes).toBe(40);
  });

  it('keeps the newest item of every ring, and evicts it as soon as it is no longer the newest', () => {
    const { budget, rings: all } = rings(2, 3);
    const [quiet, busy] = all as [Rings, Rings];
    quiet.push(plain(1));
    for (let offset = 1; offset <= 9; offset++) busy.push(plain(offset));
    expect([kept(quiet), kept(busy)]).toEqual([[1], [8, 9]]);
    quiet.push(plain(2));
    expect([kept(quiet), kept(busy)]).toEqual([[2], [8, 9]]);
    expect(budget.bytes).toBe(30);
  });

  it('is over its bound by no more than one item a ring', () => {
    const { budget, rings: many } = rings(100, 10);
    for (let offset = 1; offset <= 5; offset++) for (const ring of many) ring.push(plain(offset));
    expect(budget.bytes).toBe(1000);
    for (const ring of many) expect(kept(ring)).toEqual([5]);
  });

  it('also evicts for bytes that are kept outside of rings', () => {
    const { budget, rings: all } = rings(1, 10);
    const [ring] = all as [Rings];
    for (let offset = 1; offset <= 10; offset++) ring.push(plain(offset));
    budget.count(45);
    expect([kept(ring), budget.bytes]).toEqual([[6, 7, 8, 9, 10], 95]);
    budget.count(-45);
    expect(budget.bytes).toBe(50);
  });

  it('removes entries of items that a ring evicts by its own limits, so that a busy ring does not make it grow', () => {
    const { budget, rings: all } = rings(2, 1000, 10);
    const [busy, quiet] = all as [Rings, Rings];
    for (let offset = 1; offset <= 10_000; offset++) busy.push(plain(offset));
    quiet.push(plain(1));
    expect(budget.bytes).toBe(busy.bytes + 10);
    expect(kept(busy)).toHaveLength(10);
    // An entry each for the items, and some of items that are gone.
    expect(busy.queued).toBeLessThan(100);
  });

  it('agrees with a list of all items, for any sequence of pushes and clears', () => {
    const operation = fc.record({ ring: fc.nat(3), clear: fc.nat(30).map((one) => one === 0), bytes: fc.integer({ min: 1, max: 100 }) });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 12 }),
        (operations, items, itemsPerTopicMax) => {
          const { budget, rings: all } = rings(4, 10 * items, itemsPerTopicMax);
          /** `passed`: its turn came while it was the newest of its ring. When it is that no longer it is the first to go. */
          let model: { ring: Rings; offset: number; bytes: number; passed: boolean }[] = [];
          const ofRing = (ring: Rings) => model.filter((entry) => entry.ring === ring);
          const sum = () => model.reduce((total, { bytes }) => total + bytes, 0);
          operations.forEach(({ ring: index, clear, bytes }, at) => {
            const ring = all[index]!;
            if (clear) {
              ring.clear();
              model = model.filter((entry) => entry.ring !== ring);
            } else {
              ring.push(plain(at + 1, { bytes }));
              model.push({ ring, offset: at + 1, bytes, passed: false });
              while (ofRing(ring).length > itemsPerTopicMax) model.splice(model.indexOf(ofRing(ring)[0]!), 1);
              const passed = ofRing(ring)[0]!;
              if (passed.passed) {
                model.splice(model.indexOf(passed), 1);
                model.unshift({ ...passed, passed: false });
              }
              while (sum() > 100 * items) {
                const oldest = model.find((entry) => !entry.passed);
                if (oldest === undefined) break;
                if (ofRing(oldest.ring).length > 1) model.splice(model.indexOf(oldest), 1);
                else oldest.passed = true;
              }
            }
            for (const other of all) expect(kept(other)).toEqual(offsetsOf(ofRing(other)));
            expect(budget.bytes).toBe(sum());
          });
        },
      ),
    );
  });
});
