import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpiryIndex } from '../../src/session/expiry.ts';

interface Entry {
  readonly name: string;
  dueSecond: number;
}

const entry = (name: string): Entry => ({ name, dueSecond: 0 });
const names = (entries: readonly Entry[]): string[] => entries.map(({ name }) => name);

describe('ExpiryIndex', () => {
  const [a, b] = [entry('a'), entry('b')];

  it('finds what has expired, in the second after, and only once', () => {
    const index = new ExpiryIndex<Entry>(10_000);
    index.set(a, 12_000);
    index.set(b, 12_001);
    expect(index.takeExpired(11_999)).toEqual([]);
    expect(index.takeExpired(12_000)).toEqual([a]);
    expect(index.takeExpired(12_999)).toEqual([]);
    expect(index.takeExpired(13_000)).toEqual([b]);
    expect(index.takeExpired(99_000)).toEqual([]);
    expect(index.size).toBe(0);
  });

  it('uses the last time that was set', () => {
    const index = new ExpiryIndex<Entry>(0);
    index.set(a, 2000);
    index.set(a, 9000);
    expect(index.size).toBe(1);
    expect(index.takeExpired(5000)).toEqual([]);
    expect(index.takeExpired(9000)).toEqual([a]);
  });

  it('drops what was removed', () => {
    const index = new ExpiryIndex<Entry>(0);
    index.set(a, 2000);
    index.remove(a);
    index.remove(b);
    expect(index.takeExpired(5000)).toEqual([]);
    expect(index.size).toBe(0);
  });

  it('finds in the next second what had already expired when it was set', () => {
    const index = new ExpiryIndex<Entry>(10_000);
    index.set(a, 3);
    expect(index.takeExpired(10_500)).toEqual([]);
    expect(index.takeExpired(11_000)).toEqual([a]);
  });

  it('walks over a clock that jumps years ahead, and finds all', () => {
    const index = new ExpiryIndex<Entry>(0);
    for (let i = 0; i < 10; i++) index.set(entry(String(i)), 1000 * (i + 1));
    expect(index.takeExpired(1e15)).toHaveLength(10);
  });

  it('is no later than it must be after a clock that was ahead for a while', () => {
    const index = new ExpiryIndex<Entry>(1_000_000);
    index.takeExpired(9_000_000);
    index.takeExpired(1_001_000);
    index.set(a, 1_005_000);
    expect(index.takeExpired(1_004_000)).toEqual([]);
    expect(index.takeExpired(1_005_000)).toEqual([a]);
  });

  it('agrees with a plain list, for any sequence of set, remove and take over time', () => {
    const step = fc.oneof(
      fc.record({ set: fc.nat(9), inMs: fc.integer({ min: -3000, max: 20_000 }) }),
      fc.record({ remove: fc.nat(9) }),
      fc.record({ advanceMs: fc.nat(5000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let nowMs = 50_000;
        let takenMs = nowMs;
        const index = new ExpiryIndex<Entry>(nowMs);
        const model = new Map<string, number>();
        const entries = Array.from({ length: 10 }, (_, i) => entry(String(i)));
        const numbered = (i: number) => entries[i] as Entry;
        for (const one of steps) {
          if ('set' in one) {
            index.set(numbered(one.set), nowMs + one.inMs);
            model.set(String(one.set), Math.max(Math.ceil((nowMs + one.inMs) / 1000), Math.floor(takenMs / 1000) + 1) * 1000);
          } else if ('remove' in one) {
            index.remove(numbered(one.remove));
            model.delete(String(one.remove));
          } else {
            nowMs += one.advanceMs;
            takenMs = nowMs;
            const expired = [...model].flatMap(([value, atMs]) => (atMs <= nowMs ? [value] : []));
            for (const value of expired) model.delete(value);
            expect(names(index.takeExpired(nowMs)).sort()).toEqual(expired.sort());
          }
          expect(index.size).toBe(model.size);
        }
      }),
    );
  });
});
