import { describe, expect, it } from 'vitest';
import { KeptReads } from '../../src/recent/kept-reads.ts';
import { budgetOf, type PlainItem, plain } from '../support/recent-fixtures.ts';

const read = (offsets: number[], bytes = 100) => ({
  epoch: 'e1',
  completeFrom: 0,
  offset: offsets.at(-1) ?? 0,
  items: offsets.map((offset) => plain(offset, { bytes })),
});

function setUp(bytesMax: number) {
  const budget = budgetOf({ bytesMax });
  return { budget, reads: new KeptReads<PlainItem, string>(budget) };
}

describe('KeptReads', () => {
  it('returns what was read, with its note, for its epoch of the log', () => {
    const { reads } = setUp(10_000);
    const missed = read([1, 2, 3]);
    reads.put('a', missed, 'note', 0);
    expect(reads.get('a', 'e1', 1000)).toMatchObject({ missed, note: 'note' });
    expect([reads.get('a', 'e2', 1000), reads.get('b', 'e1', 1000)]).toEqual([undefined, undefined]);
  });

  it('drops what is old, unless it was requested again', () => {
    const { budget, reads } = setUp(10_000);
    for (const name of ['a', 'b', 'c']) reads.put(name, read([1]), '', 0);
    reads.renew('b', 4000);
    expect([reads.get('a', 'e1', 5001), reads.get('b', 'e1', 5001)?.note]).toEqual([undefined, '']);
    reads.forgetOld(5001);
    expect([reads.bytes, budget.bytes]).toEqual([100, 100]);
    reads.forgetOld(9001);
    expect([reads.bytes, budget.bytes]).toEqual([0, 0]);
  });

  it('keeps a quarter of what the process may keep, and drops the least recently requested', () => {
    const { budget, reads } = setUp(2000);
    for (const name of ['a', 'b']) reads.put(name, read([1, 2]), '', 0);
    reads.renew('a', 1000);
    reads.put('c', read([1, 2]), '', 2000);
    const kept = ['a', 'b', 'c'].map((name) => reads.get(name, 'e1', 2000) !== undefined);
    expect(kept).toEqual([true, false, true]);
    expect([reads.bytes, budget.bytes]).toEqual([400, 400]);
    reads.put('d', read([1], 501), '', 2000);
    expect([reads.get('d', 'e1', 2000), reads.bytes]).toEqual([undefined, 400]);
  });

  it('keeps the last read by a name only', () => {
    const { budget, reads } = setUp(10_000);
    reads.put('a', read([1, 2]), 'first', 0);
    reads.put('a', read([1]), 'second', 1);
    expect(reads.get('a', 'e1', 1)?.note).toBe('second');
    expect(budget.bytes).toBe(100);
  });
});
