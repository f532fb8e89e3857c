import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageId } from '../../src/bus/message-id.ts';
import { parseSubject, streamNameOf, streamSubjectsOf, subjectOf, topicFilter } from '../../src/bus/subjects.ts';
import { parseKey, parseTopic } from '../../src/protocol/topic.ts';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const topic = fc.array(token, { minLength: 1, maxLength: 8 }).map((tokens) => parseTopic(tokens.join('.')));
const key = token.map(parseKey);

describe('a subject', () => {
  it('leads back to the topic and key that it was made of', () => {
    fc.assert(
      fc.property(topic, key, (aTopic, aKey) => {
        expect(parseSubject(subjectOf(aTopic, null), false)).toEqual({ topic: aTopic, key: null });
        expect(parseSubject(subjectOf(aTopic, aKey), true)).toEqual({ topic: aTopic, key: aKey });
      }),
    );
  });

  it('has its key last where there is one', () => {
    expect(parseSubject('feed.ticks.nasdaq.AAPL', true)).toEqual({ topic: 'ticks.nasdaq', key: 'AAPL' });
    expect(parseSubject('feed.ticks.AAPL', true)).toEqual({ topic: 'ticks', key: 'AAPL' });
    expect(parseSubject('feed.ticks', true)).toBeUndefined();
  });

  it('is no address when any part breaks the grammar', () => {
    for (const subject of [
      '',
      'feed',
      'feed.',
      'feed..a',
      'feed.a.',
      'feed.a b',
      'feed.a*',
      'scores.a',
      'feed.ü',
      `feed.${'x'.repeat(65)}`,
    ]) {
      expect(parseSubject(subject, false), subject).toBeUndefined();
      expect(parseSubject(`${subject}.`, true), subject).toBeUndefined();
    }
  });

  it('is found by its topic’s filter, and by the subjects of its stream', () => {
    expect(topicFilter(parseTopic('scores.a'), false)).toBe('feed.scores.a');
    expect(topicFilter(parseTopic('ticks.a'), true)).toBe('feed.ticks.a.*');
    expect(streamNameOf('scores')).toBe('stentor-scores');
    expect(streamSubjectsOf('scores')).toEqual(['feed.scores', 'feed.scores.>']);
  });
});

describe('a message id', () => {
  it('differs when topic, user or key does, wherever one ends and the next begins', () => {
    const ids = [
      messageId(parseTopic('a.b'), 'c', 'd'),
      messageId(parseTopic('a'), 'b.c', 'd'),
      messageId(parseTopic('a.b'), 'cd', ''),
      messageId(parseTopic('a.b'), '', 'cd'),
      messageId(parseTopic('a.b'), 'c","d', ''),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is the same for the same three, short, and safe in a header', () => {
    expect(messageId(parseTopic('a'), 'ana', 'k'.repeat(10_000))).toBe(messageId(parseTopic('a'), 'ana', 'k'.repeat(10_000)));
    expect(messageId(parseTopic('a'), 'ä\r\n', '☃')).toMatch(/^[A-Za-z0-9_-]{24}$/);
  });
});
