import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageId } from '../../src/bus/message-id.ts';
import {
  filterOf,
  parseSubject,
  type SubjectOptions,
  streamNameOf,
  streamSubjectsOf,
  subjectOf,
  wrongDepthFilters,
} from '../../src/bus/subjects.ts';
import { matchesPattern, parseTopic } from '../../src/protocol/topic.ts';
import { anyKey } from '../support/keys.ts';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const topic = fc.array(token, { minLength: 1, maxLength: 8 }).map((tokens) => parseTopic(tokens.join('.')));
const PLAIN: SubjectOptions = { state: 'last', topicTokens: 0 };
const KEYED: SubjectOptions = { state: 'keyed', topicTokens: 0 };

describe('a subject', () => {
  it('is parsed back to the topic and key that it was made from', () => {
    fc.assert(
      fc.property(topic, anyKey, (aTopic, aKey) => {
        expect(parseSubject(subjectOf(aTopic, null), PLAIN)).toEqual({ topic: aTopic, key: null });
        expect(parseSubject(subjectOf(aTopic, aKey), KEYED)).toEqual({ topic: aTopic, key: aKey });
      }),
    );
  });

  it('has its key last where there is one', () => {
    expect(parseSubject('feed.ticks.nasdaq.AAPL', KEYED)).toEqual({ topic: 'ticks.nasdaq', key: 'AAPL' });
    expect(parseSubject('feed.ticks.AAPL', KEYED)).toEqual({ topic: 'ticks', key: 'AAPL' });
    expect(parseSubject('feed.ticks.fx.BRK=2EB', KEYED)).toEqual({ topic: 'ticks.fx', key: 'BRK.B' });
    expect(parseSubject('feed.ticks', KEYED)).toBe('wrong_depth');
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
      expect(typeof parseSubject(subject, PLAIN), subject).toBe('string');
      expect(typeof parseSubject(`${subject}.`, KEYED), subject).toBe('string');
    }
  });

  it.each([
    ['feed.ticks.fx.BRK.B', { state: 'keyed', topicTokens: 2 }, 'wrong_depth'],
    ['feed.ticks.fx', { state: 'keyed', topicTokens: 2 }, 'wrong_depth'],
    ['feed.ticks', { state: 'keyed', topicTokens: 2 }, 'wrong_depth'],
    ['feed.ticks.fx.BTC/USDT', { state: 'keyed', topicTokens: 2 }, 'bad_token'],
    ['feed.ticks.fx.BTC/USDT', KEYED, 'bad_token'],
    ['feed.ticks.fx.EUR=X', KEYED, 'bad_token'],
    ['feed.ticks.fx.BRK=2EB', { state: 'keyed', topicTokens: 2 }, { topic: 'ticks.fx', key: 'BRK.B' }],
    ['feed.scores', { state: 'last', topicTokens: 2 }, 'wrong_depth'],
    ['feed.scores.a', { state: 'last', topicTokens: 2 }, { topic: 'scores.a', key: null }],
    ['feed.scores.a=2E', { state: 'last', topicTokens: 2 }, 'bad_token'],
  ])('%s with %o is %o', (subject, options, address) => {
    expect(parseSubject(subject, options as SubjectOptions)).toEqual(address);
  });

  it('matches a filter of wrong depths just when its depth is wrong', () => {
    const options = fc.record({ state: fc.constantFrom('last' as const, 'keyed' as const), topicTokens: fc.integer({ min: 0, max: 8 }) });
    const depth = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(options, depth, (some, tokens) => {
        const subject = `feed.ns${'.x'.repeat(tokens - 1)}`;
        const matched = wrongDepthFilters('ns', some).filter((filter) => matchesPattern(filter, subject));
        expect(matched).toHaveLength(parseSubject(subject, some) === 'wrong_depth' ? 1 : 0);
      }),
    );
  });

  it('is found by its topic’s filter, and by the subjects of its stream', () => {
    expect(filterOf(parseTopic('scores.a'), PLAIN)).toBe('feed.scores.a');
    expect(filterOf(parseTopic('ticks.a'), KEYED)).toBe('feed.ticks.a.*');
    expect(streamNameOf('scores')).toBe('stentor-scores');
    expect(streamSubjectsOf('scores', PLAIN)).toEqual(['feed.scores', 'feed.scores.>']);
    expect(streamSubjectsOf('books', { state: 'document' })).toEqual(['feed.books', 'feed.books.>', 'image.books', 'image.books.>']);
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
