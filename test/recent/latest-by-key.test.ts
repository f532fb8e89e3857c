import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatestByKey } from '../../src/recent/latest-by-key.ts';
import { Ring } from '../../src/recent/ring.ts';
import { budgetOf, plain as item, offsetsOf as offsets, PLAIN_FORM, type PlainItem } from '../support/recent-fixtures.ts';

const latestOf = (keysMax: number, completeFrom: number) => new LatestByKey(PLAIN_FORM, keysMax, completeFrom);

describe('LatestByKey', () => {
  it('has the latest item of every key, in the order in which the keys last changed', () => {
    const latest = latestOf(10, 0);
    for (const [sequence, name] of ['a', 'b', 'a', 'c', 'b'].entries()) latest.set(item(sequence + 10, { key: name }), sequence);
    expect(offsets(latest.between(0, 5))).toEqual([12, 13, 14]);
    expect(offsets(latest.between(3, 5))).toEqual([13, 14]);
    expect(offsets(latest.between(0, 4))).toEqual([12, 13]);
    expect(latest.size).toBe(3);
  });

  it('has items from before the ring only for requests from -1', () => {
    const latest = latestOf(10, 0);
    latest.set(item(3, { key: 'a' }), -1);
    latest.set(item(4, { key: 'b' }), 0);
    expect(offsets(latest.between(-1, 1))).toEqual([3, 4]);
    expect(offsets(latest.between(0, 1))).toEqual([4]);
  });

  it('at its limit drops the key with the oldest change, and says from where on it is complete', () => {
    const latest = latestOf(3, 0);
    for (const [sequence, name] of ['a', 'b', 'c'].entries()) latest.set(item(sequence, { key: name }), sequence);
    expect(latest.completeFrom).toBe(0);
    latest.set(item(3, { key: 'a' }), 3);
    latest.set(item(4, { key: 'd' }), 4);
    expect(latest.between(0, 5).map((kept) => kept.key)).toEqual(['c', 'a', 'd']);
    expect(latest).toMatchObject({ size: 3, completeFrom: 1 });
  });

  it('is not complete before the offset of its initial items, no matter which items were removed', () => {
    const latest = latestOf(1, 100);
    latest.set(item(5, { key: 'a' }), -1);
    latest.set(item(101, { key: 'b' }), 0);
    expect(latest.completeFrom).toBe(100);
    latest.set(item(102, { key: 'c' }), 1);
    expect(latest.completeFrom).toBe(101);
  });

  const at = (sequence: number, offset = sequence) => ({ sequence, offset });

  it('returns what fits, at least one item, and the position after it', () => {
    const latest = latestOf(10, 0);
    for (const [sequence, name] of ['a', 'b', 'c'].entries()) latest.set(item(sequence + 1, { key: name }), sequence);
    const wireBytes = PLAIN_FORM.wireBytesOf(item(1));
    expect(latest.next(at(0), { bytesMax: wireBytes * 2 })).toMatchObject({ items: [{ offset: 1 }, { offset: 2 }], position: at(2) });
    expect(latest.next(at(2), { bytesMax: wireBytes * 2 })).toMatchObject({ items: [{ offset: 3 }], position: at(3) });
    expect(latest.next(at(0), { bytesMax: 1 })).toMatchObject({ items: [{ offset: 1 }], position: at(1) });
    expect(latest.next(at(0), { bytesMax: 1000, until: 2 })).toMatchObject({ items: [{ offset: 1 }, { offset: 2 }], position: at(2) });
    expect(latest.next(at(3), { bytesMax: 1000 })).toEqual({ items: [], position: at(3) });
  });

  it('returns what is from before the ring by offset', () => {
    const latest = latestOf(10, 0);
    for (const [index, name] of ['a', 'b'].entries()) latest.set(item(index + 5, { key: name }), -1);
    for (const [index, name] of ['c', 'd'].entries()) latest.set(item(index + 8, { key: name }), index);
    expect(latest.next(at(-1, 0), { bytesMax: 1 })).toMatchObject({ items: [{ offset: 5 }], position: at(-1, 5) });
    expect(latest.next(at(-1, 5), { bytesMax: 1 })).toMatchObject({ items: [{ offset: 6 }], position: at(-1, 6) });
    expect(latest.next(at(-1, 6), { bytesMax: 1 })).toMatchObject({ items: [{ offset: 8 }], position: at(1, 8) });
    expect(offsets(latest.next(at(-1, 8), { bytesMax: 1000 }).items)).toEqual([9]);
  });

  it('leaves out removed keys, for clients that never had them', () => {
    const latest = latestOf(10, 0);
    latest.set(item(1, { key: 'a' }), 0);
    latest.set(item(2, { key: 'b', removed: true }), 1);
    expect(offsets(latest.next(at(0), { bytesMax: 1000 }).items)).toEqual([1, 2]);
    expect(latest.next(at(0), { bytesMax: 1000, withoutRemoved: true })).toMatchObject({ items: [{ offset: 1 }], position: at(1) });
  });

  it('handed out in parts, while it changes, is whole in the end: each key at its latest', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 60 });
    fc.assert(
      fc.property(names, names, fc.integer({ min: 1, max: 120 }), (before, meanwhile, bytesMax) => {
        const latest = latestOf(10, 0);
        let count = 0;
        const set = (name: string) => latest.set(item(count + 1, { key: name }), count++);
        for (const name of before) set(name);
        const got = new Map<unknown, number>();
        const changes = [...meanwhile];
        let position = at(0, 0);
        for (let next = latest.next(position, { bytesMax }); next.items.length > 0; next = latest.next(position, { bytesMax })) {
          for (const { key: name, offset } of next.items) got.set(name, offset);
          expect(next.items[0]?.offset).toBeGreaterThan(position.offset);
          position = next.position;
          const change = changes.shift();
          if (change !== undefined) set(change);
        }
        const all = latest.between(-1, count);
        expect(got).toEqual(new Map(all.map(({ key: name, offset }) => [name, offset])));
        expect(latest.size).toBe(all.length);
      }),
    );
  });

  it('agrees with a plain look through everything that was set', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 40 }), fc.nat(40), fc.nat(40), (names, from, to) => {
        const latest = latestOf(10, 0);
        const all = names.map((name, sequence) => item(sequence + 1, { key: name }));
        for (const [sequence, set] of all.entries()) latest.set(set, sequence);
        const last = all.filter((one) => all.findLast((other) => other.key === one.key) === one);
        expect(latest.between(from, to)).toEqual(last.filter(({ offset }) => offset > from && offset <= to));
      }),
    );
  });

  it('returns what changed after an offset, or that it may have forgotten a change', () => {
    const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 60 });
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 7 }), fc.nat(10), (names, keysMax, completeFrom) => {
        const latest = latestOf(keysMax, completeFrom);
        const all = names.map((name, at) => item(completeFrom + 2 * at + 1, { key: name }));
        for (const set of all) {
          latest.set(set, -1);
          const soFar = all.filter(({ offset }) => offset <= set.offset);
          const last = soFar.filter((one) => soFar.findLast((other) => other.key === one.key) === one);
          for (let offset = Math.max(0, completeFrom - 1); offset <= set.offset + 1; offset++) {
            const changed = latest.after(offset);
            if (changed !== undefined) expect(changed).toEqual(last.filter((one) => one.offset > offset));
            else expect(offset).toBeLessThan(Math.max(completeFrom, last[last.length - keysMax - 1]?.offset ?? 0));
          }
        }
      }),
    );
  });

  it('keeps the latest by topic and key where a feed is of many topics: only the form of its items knows', () => {
    const form = { ...PLAIN_FORM, slotOf: ({ topic, key }: PlainItem) => `${topic} ${key}` };
    const latest = new LatestByKey(form, 10, 0);
    const pushed = ['x', 'y', 'x'].map((topic, at) => item(at + 1, { topic, key: 'a' }));
    for (const [sequence, each] of pushed.entries()) latest.set(each, sequence);
    expect(offsets(latest.between(0, 3))).toEqual([2, 3]);
  });

  it('counts the bytes of what it keeps, if it is given a budget, until it is cleared', () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), bytes: fc.integer({ min: 1, max: 50 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, keysMax) => {
        const budget = budgetOf();
        const latest = new LatestByKey(PLAIN_FORM, keysMax, 0, budget);
        for (const [at, one] of steps.entries()) {
          latest.set(item(at + 1, one), at);
          const kept = latest.between(-1, Number.POSITIVE_INFINITY);
          expect(budget.bytes).toBe(kept.reduce((sum, { bytes }) => sum + bytes, 0));
        }
        latest.clear();
        expect([budget.bytes, latest.size, latest.between(-1, Number.POSITIVE_INFINITY)]).toEqual([0, 0, []]);
      }),
    );
  });

  it('at the bound of the budget keeps every key, and has recent items of rings removed', () => {
    const budget = budgetOf({ bytesMax: 100 });
    const ring = new Ring(budget, 0);
    for (let offset = 1; offset <= 6; offset++) ring.push(item(offset));
    const latest = new LatestByKey(PLAIN_FORM, 10, 0, budget);
    for (let at = 0; at < 4; at++) latest.set(item(at + 1, { key: `k${at}` }), -1);
    expect([ring.size, budget.bytes]).toEqual([6, 100]);
    latest.set(item(5, { key: 'k4' }), -1);
    expect([ring.size, budget.bytes, latest.size]).toEqual([5, 100, 5]);
    for (let at = 5; at < 20; at++) latest.set(item(at + 1, { key: `k${at % 10}` }), -1);
    expect([ring.size, budget.bytes, latest.size]).toEqual([1, 110, 10]);
  });
});
