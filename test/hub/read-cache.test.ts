import { describe, expect, it } from 'vitest';
import { ReadCache } from '../../src/hub/read-cache.ts';
import type { LinkItem } from '../../src/link/messages.ts';

const item = (offset: number, bytes = 100): LinkItem => ({ offset, key: null, data: Buffer.alloc(bytes), publishedAtMs: 0 });
const read = (offsets: number[], bytes?: number) => ({
  epoch: 'e1',
  completeFrom: 0,
  offset: offsets.at(-1) ?? 0,
  items: offsets.map((offset) => item(offset, bytes)),
});

describe('ReadCache', () => {
  it('gives what was read to whoever asks on within it', () => {
    const cache = new ReadCache(10_000);
    cache.put('a', read([1, 2, 3]), 0);
    expect(cache.after('a', 'e1', 1, 1000)?.items).toHaveLength(3);
    expect(cache.after('a', 'e1', 2, 1000)).toBeDefined();
    // Whoever asks anew is answered with what is there now; and behind its end it has nothing to say.
    expect(cache.after('a', 'e1', 0, 1000)).toBeUndefined();
    expect(cache.after('a', 'e1', 3, 1000)).toBeUndefined();
    expect(cache.after('a', 'e2', 1, 1000)).toBeUndefined();
    expect(cache.after('b', 'e1', 1, 1000)).toBeUndefined();
  });

  it('gives the last so many to whoever asks for no more than was read', () => {
    const cache = new ReadCache(10_000);
    cache.put('a', read([1, 2, 3]), 0, 5);
    cache.put('b', read([1, 2, 3]), 0);
    const last = (what: string, count: number) => cache.last(what, 'e1', count, 1000)?.items.length;
    expect([last('a', 5), last('a', 2), last('a', 6), last('b', 1)]).toEqual([3, 3, undefined, undefined]);
    expect(cache.last('a', 'e2', 1, 1000)).toBeUndefined();
    expect(cache.last('a', 'e1', 1, 5001)).toBeUndefined();
  });

  it('forgets what is old, and the oldest past its bound', () => {
    const cache = new ReadCache(1000);
    cache.put('a', read([1, 2]), 0);
    cache.put('b', read([1, 2]), 1000);
    expect(cache.after('a', 'e1', 1, 2000)).toBeDefined();
    cache.put('c', read([1, 2]), 2000);
    expect([cache.after('a', 'e1', 1, 2000), cache.after('c', 'e1', 1, 2000)]).toEqual([undefined, expect.anything()]);
    expect(cache.bytes).toBeLessThanOrEqual(1000);
    expect(cache.after('b', 'e1', 1, 6001)).toBeUndefined();
    cache.forgetOld(7001);
    expect(cache.bytes).toBe(0);
  });

  it('keeps nothing that is larger than its bound, or of another life', () => {
    const cache = new ReadCache(1000);
    cache.put('a', read([1, 2], 5000), 0);
    cache.put('b', { ...read([1, 2]), completeFrom: undefined }, 0);
    expect(cache.bytes).toBe(0);
  });
});
