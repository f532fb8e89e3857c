import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FanoutItem } from '../../src/fanout/item.ts';
import { LatestByKey } from '../../src/fanout/latest.ts';
import { item, key } from '../support/fanout.ts';

const offsets = (items: readonly FanoutItem[]) => items.map(({ offset }) => offset);

describe('LatestByKey', () => {
  it('has the latest item of every key, in the order in which the keys last changed', () => {
    const latest = new LatestByKey(10, 0);
    for (const [sequence, name] of ['a', 'b', 'a', 'c', 'b'].entries()) latest.set(item(sequence + 10, { key: key(name) }), sequence);
    expect(offsets(latest.between(0, 5))).toEqual([12, 13, 14]);
    expect(offsets(latest.between(3, 5))).toEqual([13, 14]);
    expect(offsets(latest.between(0, 4))).toEqual([12, 13]);
    expect(offsets(latest.after(12))).toEqual([13, 14]);
    expect(latest.size).toBe(3);
  });

  it('treats a topic without keys as one key', () => {
    const latest = new LatestByKey(10, 0);
    for (let offset = 1; offset <= 5; offset++) latest.set(item(offset), offset - 1);
    expect(offsets(latest.between(-1, 5))).toEqual([5]);
  });

  it('has items from before the ring only for whoever asks from -1', () => {
    const latest = new LatestByKey(10, 0);
    latest.set(item(3, { key: key('a') }), -1);
    latest.set(item(4, { key: key('b') }), 0);
    expect(offsets(latest.between(-1, 1))).toEqual([3, 4]);
    expect(offsets(latest.between(0, 1))).toEqual([4]);
  });

  it('at its bound lets the key go that has not changed for longest, and says from where on it is complete', () => {
    const latest = new LatestByKey(3, 0);
    for (const [sequence, name] of ['a', 'b', 'c'].entries()) latest.set(item(sequence, { key: key(name) }), sequence);
    expect(latest.completeFrom).toBe(0);
    latest.set(item(3, { key: key('a') }), 3);
    latest.set(item(4, { key: key('d') }), 4);
    expect(latest.between(0, 5).map((kept) => kept.key)).toEqual(['c', 'a', 'd']);
    expect(latest).toMatchObject({ size: 3, completeFrom: 1 });
  });

  it('hands out what fits, one item at least, and says how far that reaches', () => {
    const latest = new LatestByKey(10, 0);
    for (const [sequence, name] of ['a', 'b', 'c'].entries()) latest.set(item(sequence + 1, { key: key(name) }), sequence);
    const { bytes } = item(1, { key: key('a') });
    expect(latest.next(0, bytes * 2)).toMatchObject({ items: [{ offset: 1 }, { offset: 2 }], end: 2 });
    expect(latest.next(2, bytes * 2)).toMatchObject({ items: [{ offset: 3 }], end: 3 });
    expect(latest.next(0, 1)).toMatchObject({ items: [{ offset: 1 }], end: 1 });
    expect(latest.next(3, 1000)).toEqual({ items: [], end: 3 });
  });

  it('agrees with a plain look through everything that was set', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 40 }), fc.nat(40), fc.nat(40), (names, from, to) => {
        const latest = new LatestByKey(10, 0);
        const all = names.map((name, sequence) => item(sequence + 1, { key: key(name) }));
        for (const [sequence, set] of all.entries()) latest.set(set, sequence);
        const last = all.filter((one) => all.findLast((other) => other.key === one.key) === one);
        expect(latest.between(from, to)).toEqual(last.filter(({ offset }) => offset > from && offset <= to));
      }),
    );
  });
});
