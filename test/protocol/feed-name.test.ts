import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOf, isWholeTopic, keyOf, oneKeyOf, parseFeedName, topicOf } from '../../src/protocol/feed-name.ts';
import { type Key, matchesPattern, namespaceOf, parseKey, parseTopic } from '../../src/protocol/topic.ts';
import { KEYS } from '../support/keys.ts';

describe('the name of a feed', () => {
  it.each(['ticks', 'ticks.nasdaq'])('has the topic and the key in it, whatever the key is (%s)', (topic) => {
    for (const key of [...KEYS, 'a#b', '#', '.', 'A.B#C']) {
      const name = parseFeedName(topic, key);
      expect(addressOf(name)).toEqual({ topic, key });
      expect([topicOf(name), keyOf(name), namespaceOf(name), isWholeTopic(name)]).toEqual([topic, key, 'ticks', false]);
    }
  });

  it('is the topic, where no key is named', () => {
    const name = parseFeedName('ticks.nasdaq');
    expect(addressOf(name)).toEqual({ topic: 'ticks.nasdaq' });
    expect([name, keyOf(name), isWholeTopic(name)]).toEqual(['ticks.nasdaq', undefined, true]);
  });

  it('is refused with a wrong topic or key', () => {
    for (const topic of ['', 'a#b', 'a..b', '*.a', 'a.>.b', 'a.b*'])
      expect(() => parseFeedName(topic)).toThrow(expect.objectContaining({ code: 'bad_topic' }));
    for (const key of ['', 'a\n', 'x'.repeat(129)])
      expect(() => parseFeedName('a', key)).toThrow(expect.objectContaining({ code: 'bad_key' }));
  });

  it('is another one for another topic or key', () => {
    const topics = fc.constantFrom('a', 'a.b', 'a.b.c', 'b').map(parseTopic);
    const keys = fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom('#', '.', 'a', 'b') }).map((text) => parseKey(text) as Key);
    fc.assert(
      fc.property(topics, keys, topics, keys, (topic, key, otherTopic, otherKey) => {
        const same = topic === otherTopic && key === otherKey;
        expect(oneKeyOf(topic, key) === oneKeyOf(otherTopic, otherKey)).toBe(same);
      }),
    );
  });
});

it('a pattern covers another one if it matches everything that the other one does', () => {
  const tokens = ['a', 'b'];
  const topics = tokens.flatMap((a) => [a, ...tokens.flatMap((b) => [`${a}.${b}`, ...tokens.map((c) => `${a}.${b}.${c}`)])]);
  const parts = ['a', 'b', '*'];
  const patterns = parts.flatMap((a) => [
    a,
    `${a}.>`,
    ...parts.flatMap((b) => [`${a}.${b}`, `${a}.${b}.>`, ...parts.map((c) => `${a}.${b}.${c}`)]),
  ]);
  for (const pattern of ['>', ...patterns]) {
    for (const other of patterns) {
      const matches = topics.filter((topic) => matchesPattern(other, topic));
      // A longer topic, and one with a token that no pattern names: what is true of these two tokens is true of all.
      const more = [
        'a.b.a.b',
        'z',
        'z.z',
        'a.z',
        'z.a',
        'a.z.z',
        'a.a.z',
        'z.z.z',
        'z.z.a',
        'a.z.a',
        'z.a.z',
        'z.a.a',
        'b.z',
        'a.b.z',
        'b.b.z',
        'b.z.b',
        'z.b.b',
        'z.b',
        'b.z.z',
        'z.z.b',
        'z.b.z',
        'a.z.b',
        'b.z.a',
        'z.a.b',
        'z.b.a',
        'b.a.z',
        'z.z.z.z',
        'a.z.z.z',
        'z.a.z.z',
        'b.z.z.z',
        'z.b.z.z',
        'a.a.z.z',
        'a.b.z.z',
        'b.a.z.z',
        'b.b.z.z',
      ];
      const all = [...matches, ...more.filter((topic) => matchesPattern(other, topic))];
      expect([pattern, other, matchesPattern(pattern, other)]).toEqual([
        pattern,
        other,
        all.every((topic) => matchesPattern(pattern, topic)),
      ]);
    }
  }
});
