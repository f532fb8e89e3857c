import { describe, expect, it } from 'vitest';
import { SharedPatterns } from '../../src/session/shared-patterns.ts';

describe('SharedPatterns', () => {
  it('gives equal lists as one, and different ones as they are', () => {
    const shared = new SharedPatterns();
    const first = shared.of(['scores.>', 'chat.*']);
    expect(shared.of(['scores.>', 'chat.*'])).toBe(first);
    expect(shared.of(['chat.*', 'scores.>'])).toEqual(['chat.*', 'scores.>']);
    expect(shared.of(['scores.>","chat.*'])).toEqual(['scores.>","chat.*']);
    expect(shared.of([])).toBe(shared.of([]));
  });

  it('forgets the oldest above its bound, and keeps no long list', () => {
    const shared = new SharedPatterns();
    const first = shared.of(['topic.0']);
    for (let i = 1; i <= 1000; i++) shared.of([`topic.${i}`]);
    expect(shared.size).toBe(1000);
    expect(shared.of(['topic.0'])).not.toBe(first);
    const long = Array.from({ length: 200 }, (_, i) => `long.${i}`);
    expect(shared.of(long)).toBe(long);
    expect(shared.of([...long])).not.toBe(long);
    expect(shared.size).toBe(1000);
  });
});
