import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKey, isTopic, matchesPattern, namespaceOf, parseKey, parseTopic } from '../../src/protocol/topic.ts';

const token = (length: number) => 'x'.repeat(length);
const tokenArbitrary = fc.stringMatching(/^[A-Za-z0-9_-]{1,10}$/);

describe('the topic grammar', () => {
  it.each([
    'a',
    'scores',
    'scores.epl.match-42',
    'A-Z_09.x',
    '-',
    '_',
    '0',
    'a.b.c.d.e.f.g.h',
    token(64),
    `${token(64)}.${token(64)}.${token(64)}`,
  ])('takes %s', (text) => {
    expect(isTopic(text)).toBe(true);
    expect(parseTopic(text)).toBe(text);
  });

  it.each([
    ['nothing', ''],
    ['a dot', '.'],
    ['an empty token at the start', '.a'],
    ['an empty token at the end', 'a.'],
    ['an empty token inside', 'a..b'],
    ['nine tokens', 'a.b.c.d.e.f.g.h.i'],
    ['a token of 65', token(65)],
    ['201 bytes', `${token(64)}.${token(64)}.${token(64)}.${token(6)}`],
    ['a wildcard', 'a.*'],
    ['a full wildcard', 'a.>'],
    ['a space', 'a b'],
    ['a line break at the end', 'a\n'],
    ['a letter outside ASCII', 'é'],
    ['a full-width letter', 'Ａ'],
    ['a NUL', 'a\0'],
    ['a dollar', '$JS.API'],
    ['a slash', 'a/b'],
  ])('refuses %s', (_what, text) => {
    expect(isTopic(text)).toBe(false);
    expect(() => parseTopic(text)).toThrow(expect.objectContaining({ code: 'bad_topic' }));
  });

  it('accepts exactly 200 bytes', () => {
    const text = `${token(64)}.${token(64)}.${token(64)}.${token(5)}`;
    expect(text).toHaveLength(200);
    expect(isTopic(text)).toBe(true);
  });

  it('agrees with its definition on any text', () => {
    const near = fc.string({ unit: fc.constantFrom('a', 'Z', '9', '_', '-', '.', '.', '*', ' ', 'é'), maxLength: 20 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
        expect(isTopic(text)).toBe(/^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$/.test(text) && Buffer.byteLength(text) <= 200);
      }),
      { numRuns: 2000 },
    );
  });

  it('names the namespace by the first token', () => {
    expect(namespaceOf(parseTopic('scores'))).toBe('scores');
    expect(namespaceOf(parseTopic('scores.epl.match-42'))).toBe('scores');
  });

  it('finds the namespace of any name of a feed, whatever its key contains', () => {
    const near = fc.string({ unit: fc.constantFrom('a', 'b', '.', '#', '*'), maxLength: 12 });
    fc.assert(
      fc.property(near, (name) => {
        expect(namespaceOf(name)).toBe(name.split(/[.#]/)[0]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the key grammar', () => {
  it.each([
    'AAPL',
    'BRK.B',
    'BTC/USDT',
    'EUR=X',
    '105433.6',
    ' a b ',
    '*',
    '>',
    '"',
    'ü',
    '☃',
    '😀',
    '__proto__',
    token(128),
    'ü'.repeat(64),
  ])('takes %s', (text) => {
    expect(isKey(text)).toBe(true);
    expect(parseKey(text)).toBe(text);
  });

  it.each([
    ['nothing', ''],
    ['129 bytes', token(129)],
    ['129 bytes in fewer characters', `${'ü'.repeat(64)}a`],
    ['a line break', 'a\n'],
    ['a NUL', '\0'],
    ['a delete', '\x7f'],
    ['a C1 control', '\x85'],
    ['half a surrogate pair', '\ud800'],
  ])('refuses %s', (_what, text) => {
    expect(isKey(text)).toBe(false);
    expect(() => parseKey(text)).toThrow(expect.objectContaining({ code: 'bad_key' }));
  });
});

describe('permission patterns', () => {
  it.each([
    ['scores.epl', 'scores.epl', true],
    ['scores.epl', 'scores.eplx', false],
    ['scores.epl', 'scores', false],
    ['scores.epl', 'scores.epl.match', false],
    ['scores.*', 'scores.epl', true],
    ['scores.*', 'scores', false],
    ['scores.*', 'scores.epl.match', false],
    ['*.epl', 'scores.epl', true],
    ['*', 'scores', true],
    ['*', 'scores.epl', false],
    ['scores.>', 'scores.epl', true],
    ['scores.>', 'scores.epl.match', true],
    ['scores.>', 'scores', false],
    ['>', 'scores', true],
    ['>', 'scores.epl.match', true],
    ['scores.>.match', 'scores.epl.match', false],
    ['scores.*.>', 'scores.epl', false],
    ['scores.*.>', 'scores.epl.match', true],
    ['scores.ep*', 'scores.epl', false],
    ['scores.ep>', 'scores.epl', false],
    ['', 'scores', false],
    ['.', 'scores', false],
  ])('%s over %s: %s', (pattern, topic, covers) => {
    expect(matchesPattern(pattern, topic)).toBe(covers);
  });

  it('agree with the equivalent regular expression', () => {
    const patternToken = fc.oneof(tokenArbitrary, fc.constantFrom('*', 'a', 'b'));
    const pattern = fc
      .tuple(fc.array(patternToken, { minLength: 1, maxLength: 5 }), fc.boolean())
      .map(([tokens, open]) => [...tokens, ...(open ? ['>'] : [])].join('.'));
    const topic = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 }).map((tokens) => tokens.join('.'));
    fc.assert(
      fc.property(pattern, topic, (text, subject) => {
        const source = text.split('.').map((part) => (part === '*' ? '[^.]+' : part === '>' ? '.+' : part));
        expect(matchesPattern(text, subject)).toBe(new RegExp(`^${source.join('\\.')}$`).test(subject));
      }),
      { numRuns: 2000 },
    );
  });
});
