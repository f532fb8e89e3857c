import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginLastSearch, narrow, nextProbe } from '../../src/bus/nats/last-search.ts';

function search(offsets: readonly number[], wanted: number, first: number, last: number): { from: number; requests: number } {
  const countFrom = (from: number) => offsets.filter((offset) => offset >= from).length;
  let state = beginLastSearch(wanted, first, last, countFrom(first));
  let requests = 0;
  for (let probe = nextProbe(state); probe !== undefined; probe = nextProbe(state)) {
    state = narrow(state, probe, countFrom(probe));
    requests++;
  }
  return { from: state.low, requests };
}

describe('the search for a topic’s last publications', () => {
  it('always finds an offset with enough of them at or after it, in a bounded number of requests', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 10, max: 5000 }), { maxLength: 300 }),
        fc.integer({ min: 1, max: 50 }),
        (some, wanted) => {
          const { from, requests } = search(some, wanted, 10, 5000);
          const found = some.filter((offset) => offset >= from).length;
          expect(found).toBeGreaterThanOrEqual(Math.min(wanted, some.length));
          expect(requests).toBeLessThanOrEqual(48);
        },
      ),
    );
  });

  it('reads little too much, evenly spread or not', () => {
    const even = Array.from({ length: 10_000 }, (_, i) => i * 100);
    const early = Array.from({ length: 10_000 }, (_, i) => i);
    for (const offsets of [even, [...early, 999_000, 999_500]]) {
      const { from } = search(offsets, 10, 0, 1_000_000);
      expect(offsets.filter((offset) => offset >= from).length).toBeLessThan(280);
    }
    expect(search(even, 10, 0, 1_000_000).requests).toBeLessThanOrEqual(2);
  });
});
