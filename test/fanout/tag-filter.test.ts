import { describe, expect, it } from 'vitest';
import { latestMatching } from '../../src/fanout/range.ts';
import { TagFilter } from '../../src/fanout/tag-filter.ts';
import { feed, item, key } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

const filter = new TagFilter({ league: ['ucl', 'epl', 'ucl'], status: 'live' });

describe('a filter of tags', () => {
  it('wants for each name one of its texts', () => {
    const matches = (tags?: Record<string, string>) => filter.matches(item(1, { tags }));
    expect(matches({ league: 'epl', status: 'live', other: 'x' })).toBe(true);
    expect(matches({ league: 'ucl', status: 'live' })).toBe(true);
    for (const tags of [undefined, {}, { league: 'epl' }, { league: 'EPL', status: 'live' }, { league: 'epl', status: 'over' }])
      expect(matches(tags)).toBe(false);
    expect(new TagFilter({ constructor: 'x' }).matches(item(1, { tags: {} }))).toBe(false);
  });

  it('has the same name in any order', () => {
    expect(new TagFilter({ status: ['live'], league: ['epl', 'ucl'] }).name).toBe(filter.name);
    expect(new TagFilter({ status: ['live'], league: 'epl' }).name).not.toBe(filter.name);
  });

  it('gives a rate class the latest of every key that matches, also where a later one does not', () => {
    const topic = feed({ namespace: namespaceOptions({ state: 'keyed' }), limits: { itemsPerTopicMax: 6 } });
    const push = (offset: number, name: string, status: string) => topic.add(item(offset, { key: key(name), tags: { status } }));
    push(1, 'A', 'live');
    push(2, 'B', 'live');
    push(3, 'B', 'over');
    push(4, 'A', 'live');
    push(5, 'B', 'live');
    push(6, 'B', 'over');
    const live = new TagFilter({ status: 'live' });
    const offsets = (from: number) => live.latest(topic, from).map(({ offset }) => offset);
    expect(offsets(0)).toEqual([4, 5]);
    expect(offsets(4)).toEqual([5]);
    expect(offsets(5)).toEqual([]);
    // What the ring has lost counts as far as it is the latest of its key.
    for (let offset = 7; offset < 12; offset++) push(offset, 'C', 'live');
    expect(topic.ring.first).toBeGreaterThan(4);
    expect(offsets(0)).toEqual([4, 11]);
    expect(latestMatching(topic, topic.ring.next, () => true)).toEqual([]);
  });
});
