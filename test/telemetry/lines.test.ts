import { describe, expect, it } from 'vitest';
import { Lines } from '../../src/telemetry/lines.ts';

describe('Lines', () => {
  it('gives the first of each line in turn; a line that was empty is the last', () => {
    const lines = new Lines<string>();
    for (const thing of ['a1', 'a2', 'a3']) lines.add('a', thing);
    lines.add('b', 'b1');
    expect(lines.take()).toBe('a1');
    lines.add('c', 'c1');
    lines.add('b', 'b2');
    const taken = Array.from({ length: 6 }, () => lines.take());
    expect(taken).toEqual(['b1', 'a2', 'c1', 'b2', 'a3', undefined]);
    expect(lines.isEmpty).toBe(true);
  });

  it('forgets what is removed, and lines that nothing is left of', () => {
    const lines = new Lines<string>();
    lines.add('a', 'a1');
    lines.add('a', 'a2');
    lines.add('b', 'b1');
    lines.remove('a', 'a1');
    lines.remove('b', 'b1');
    lines.remove('b', 'none');
    expect([...lines.owners()].map(([owner, things]) => [owner, ...things])).toEqual([['a', 'a2']]);
    expect([lines.take(), lines.take()]).toEqual(['a2', undefined]);
  });
});
