import { describe, expect, it } from 'vitest';
import { AnswerCache } from '../../src/hooks/answer-cache.ts';
import { ALLOWED, type Outcome } from '../../src/hooks/outcome.ts';

describe('the cache of answers', () => {
  it('forgets the least recently used past its number', () => {
    const cache = new AnswerCache({ cacheEntriesMax: 2, cacheBytesMax: 1_000_000 });
    cache.set('a', ALLOWED, 10);
    cache.set('b', ALLOWED, 10);
    expect(cache.get('a', 0)).toBe(ALLOWED);
    cache.set('c', ALLOWED, 10);
    expect(['a', 'b', 'c'].map((key) => cache.get(key, 0) !== undefined)).toEqual([true, false, true]);
    expect(cache.size).toBe(2);
  });

  it('forgets them past its bytes, and takes nothing that is larger than all of it', () => {
    const cache = new AnswerCache({ cacheEntriesMax: 1000, cacheBytesMax: 2000 });
    for (let i = 0; i < 100; i++) {
      cache.set(`key ${i}`, ALLOWED, 10);
      expect(cache.bytes).toBeLessThanOrEqual(2000);
    }
    expect(cache.get('key 99', 0)).toBe(ALLOWED);
    expect(cache.get('key 0', 0)).toBeUndefined();
    const { size } = cache;
    cache.set('x'.repeat(2000), ALLOWED, 10);
    expect(cache.size).toBe(size);
  });

  it('keeps nothing with a bound of 0, and counts no bytes of what has gone', () => {
    const none = new AnswerCache({ cacheEntriesMax: 0, cacheBytesMax: 1000 });
    none.set('a', ALLOWED, 10);
    expect([none.size, none.bytes, none.get('a', 0)]).toEqual([0, 0, undefined]);
    const cache = new AnswerCache({ cacheEntriesMax: 5, cacheBytesMax: 10_000 });
    const denied: Outcome = { kind: 'denied', code: 'c', message: 'm' };
    cache.set('a', denied, 10);
    cache.set('a', ALLOWED, 20);
    expect(cache.get('a', 15)).toBe(ALLOWED);
    expect(cache.get('a', 20)).toBeUndefined();
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
  });
});
