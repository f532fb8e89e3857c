import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../src/fanout/ring.ts';
import { RingBudget } from '../../src/fanout/ring-budget.ts';
import { item } from '../support/fanout-fixtures.ts';

const BYTES = item(1).bytes;

function rings(count: number, bytesMax: number, itemsMax = 1000) {
  const budget = new RingBudget(bytesMax);
  return { budget, rings: Array.from({ length: count }, () => new Ring({ itemsMax, bytesMax: 1_000_000 }, 0, budget)) };
}

const kept = (ring: Ring) => ring.slice(0, ring.next).map(({ offset }) => offset);

describe('RingBudget', () => {
  it("takes the worker's oldest item first, whichever ring it is in", () => {
    const {
      budget,
      rings: [a, b],
    } = rings(2, BYTES * 4) as { budget: RingBudget; rings: [Ring, Ring] };
    a.push(item(1));
    b.push(item(1));
    a.push(item(2));
    b.push(item(2));
    expect(budget.bytes).toBe(BYTES * 4);
    a.push(item(3));
    expect([kept(a), kept(b)]).toEqual([
      [2, 3],
      [1, 2],
    ]);
    a.push(item(4));
    expect([kept(a), kept(b)]).toEqual([[2, 3, 4], [2]]);
    expect(budget.bytes).toBe(BYTES * 4);
  });

  it('leaves every ring its newest, and takes it as soon as it is no longer that', () => {
    const {
      budget,
      rings: [quiet, busy],
    } = rings(2, BYTES * 3) as { budget: RingBudget; rings: [Ring, Ring] };
    quiet.push(item(1));
    for (let offset = 1; offset <= 9; offset++) busy.push(item(offset));
    expect([kept(quiet), kept(busy)]).toEqual([[1], [8, 9]]);
    quiet.push(item(2));
    expect([kept(quiet), kept(busy)]).toEqual([[2], [8, 9]]);
    expect(budget.bytes).toBe(BYTES * 3);
  });

  it('is over its bound by no more than one item a ring', () => {
    const { budget, rings: many } = rings(100, BYTES * 10);
    for (let offset = 1; offset <= 5; offset++) for (const ring of many) ring.push(item(offset));
    expect(budget.bytes).toBe(BYTES * 100);
    for (const ring of many) expect(kept(ring)).toEqual([5]);
  });

  it('forgets what a ring evicts by its own bounds, so that a busy ring does not make it grow', () => {
    const {
      budget,
      rings: [busy],
    } = rings(1, BYTES * 1000, 10) as { budget: RingBudget; rings: [Ring] };
    for (let offset = 1; offset <= 10_000; offset++) busy.push(item(offset));
    expect(budget.bytes).toBe(busy.bytes);
    expect(kept(busy)).toHaveLength(10);
  });

  it('agrees with a list of all items, whatever is pushed and cleared', () => {
    const operation = fc.record({ ring: fc.nat(3), clear: fc.nat(30).map((one) => one === 0), length: fc.nat(100) });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 12 }),
        (operations, items, itemsMax) => {
          const { budget, rings: all } = rings(4, BYTES * items, itemsMax);
          const model: { ring: Ring; offset: number; bytes: number }[] = [];
          const ofRing = (ring: Ring) => model.filter((entry) => entry.ring === ring);
          const sum = () => model.reduce((total, { bytes }) => total + bytes, 0);
          operations.forEach(({ ring: index, clear, length }, at) => {
            const ring = all[index] as Ring;
            if (clear) {
              ring.clear();
              for (const entry of ofRing(ring)) model.splice(model.indexOf(entry), 1);
            } else {
              const pushed = item(at + 1, { value: 'x'.repeat(length) });
              ring.push(pushed);
              model.push({ ring, offset: at + 1, bytes: pushed.bytes });
              while (ofRing(ring).length > itemsMax) model.splice(model.indexOf(ofRing(ring)[0]!), 1);
              for (let oldest = 0; sum() > BYTES * items && oldest < model.length; ) {
                if (ofRing(model[oldest]!.ring).length > 1) model.splice(oldest, 1);
                else oldest++;
              }
            }
            for (const other of all) expect(kept(other)).toEqual(ofRing(other).map(({ offset }) => offset));
            expect(budget.bytes).toBe(sum());
          });
        },
      ),
    );
  });
});
