import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PatternTrie } from '../../src/hub/pattern-trie.ts';
import { matchesPattern } from '../../src/protocol/topic.ts';

const token = fc.constantFrom('a', 'b', 'c');
const topics = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'));
const patterns = fc
  .tuple(token, fc.array(fc.oneof(token, fc.constant('*')), { maxLength: 3 }), fc.boolean())
  .map(([first, rest, isOpenEnded]) => [first, ...rest, ...(isOpenEnded ? ['>'] : [])].join('.'));

it('finds the patterns that match a topic, whatever was added and removed before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(patterns, fc.boolean()), { maxLength: 30 }), fc.array(topics, { maxLength: 10 }), (steps, published) => {
      const trie = new PatternTrie<string>();
      const held = new Map<string, string>();
      for (const [pattern, isRemoved] of steps) {
        if (isRemoved) {
          trie.remove(pattern, pattern);
          held.delete(pattern);
        } else if (!held.has(pattern)) {
          trie.add(pattern, pattern);
          held.set(pattern, pattern);
        }
        expect(trie.size).toBe(held.size);
      }
      expect([...trie.values()].sort()).toEqual([...held.keys()].sort());
      for (const topic of published) {
        expect(trie.matching(topic).sort()).toEqual([...held.keys()].filter((pattern) => matchesPattern(pattern, topic)).sort());
      }
    }),
  );
});
