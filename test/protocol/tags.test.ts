import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { FilterSchema, TagsSchema } from '../../src/protocol/fields.ts';
import { FILTER_TAGS_MAX, FILTER_VALUES_MAX, isTag, isTagFilter, isTags, TAGS_MAX } from '../../src/protocol/tags.ts';

const names = fc.constantFrom('a', 'league', 'a_b-c', '0', '-a', 'A', '', 'ä', 'x'.repeat(32), 'x'.repeat(33), '__proto__');
const texts = fc.constantFrom<unknown>('a', 'La Liga', ' a', 'a ', '', 'é', 'x'.repeat(64), 'x'.repeat(65), 'a\nb', '"{}"', 1, null);
const lists = fc.array(texts, { maxLength: FILTER_VALUES_MAX + 1 });
const maps = (values: fc.Arbitrary<unknown>) =>
  fc.array(fc.tuple(names, values), { maxLength: TAGS_MAX + 1 }).map((entries) => Object.fromEntries(entries));

describe('tags', () => {
  it('have names of small letters, and printable ASCII as texts', () => {
    for (const [name, text] of [
      ['league', 'La Liga'],
      ['0', 'x'.repeat(64)],
      ['x'.repeat(32), '"'],
    ] as const)
      expect(isTag(name, text)).toBe(true);
    for (const [name, text] of [
      ['A', 'a'],
      ['', 'a'],
      ['-a', 'a'],
      ['a', ''],
      ['a', ' a'],
      ['a', 'é'],
      ['a', 'x'.repeat(65)],
      ['a', 1],
    ] as const)
      expect(isTag(name, text)).toBe(false);
  });

  it('are bounded: of a publication, of a filter, and for one name of that', () => {
    const some = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${n}`, 'x']));
    expect([0, TAGS_MAX, TAGS_MAX + 1].map((count) => isTags(some(count)))).toEqual([true, true, false]);
    expect([0, 1, FILTER_TAGS_MAX, FILTER_TAGS_MAX + 1].map((count) => isTagFilter(some(count)))).toEqual([false, true, true, false]);
    const listed = (count: number) => ({ t: Array.from({ length: count }, (_, n) => `${n}`) });
    expect([0, 1, FILTER_VALUES_MAX, FILTER_VALUES_MAX + 1].map((count) => isTagFilter(listed(count)))).toEqual([false, true, true, false]);
    for (const none of [undefined, null, 'a', 5, []]) expect([isTags(none), isTagFilter(none)]).toEqual([false, false]);
  });

  it('are the same to programs as to the schemas of messages', () => {
    const [tags, filter] = [Compile(TagsSchema), Compile(FilterSchema)];
    fc.assert(
      fc.property(maps(texts), (value) => void expect(isTags(value)).toBe(tags.Check(value))),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(maps(fc.oneof(texts, lists)), (value) => void expect(isTagFilter(value)).toBe(filter.Check(value))),
      { numRuns: 2000 },
    );
  });
});
