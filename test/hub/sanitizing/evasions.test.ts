import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTextCleaner, mayContainTags } from '../../../src/hub/sanitizing/text-cleaner.ts';
import { EVASIONS } from './evasions.ts';
import { OWASP } from './owasp.ts';

const cleaner = await loadTextCleaner();

/** All that may be left, written down without the library's parser: text, simple tags without attributes, links to the web. */
const TEXT = '[^<]';
const TAG = '</?(?:a|b|blockquote|br|code|em|i|li|ol|p|pre|s|strong|u|ul)(?: /)?>';
const LINK = '<a href="(?:https?://|mailto:)[^\\s"<>`\']+">';
const ALLOWED_HTML = new RegExp(`^(?:${TEXT}|${TAG}|${LINK})*$`, 'i');
/** A `<` that no browser reads as the start of a tag or comment. */
const ALLOWED_TEXT = /^(?:[^<]|<(?![A-Za-z/!?\0]|$))*$/;

/** As the sanitizer does. */
const clean = (mode: 'text' | 'html', text: string) => (mayContainTags(text) ? cleaner(mode)(text) : text);

describe.each(['text', 'html'] as const)('mode %s leaves nothing that runs of', (mode) => {
  const allowed = mode === 'html' ? ALLOWED_HTML : ALLOWED_TEXT;

  const check = (attack: string) => {
    const cleaned = clean(mode, attack);
    expect(cleaned).toMatch(allowed);
    // What is clean stays as it is.
    expect(cleaner(mode)(cleaned)).toMatch(allowed);
  };

  it.each(OWASP)('OWASP’s $entry', ({ attacks }) => {
    expect(attacks).not.toEqual([]);
    for (const attack of attacks) check(attack);
  });

  it.each(EVASIONS)('%j', check);
});

describe('the check of this test', () => {
  it('has a row for each entry of the list', () => {
    expect(OWASP).toHaveLength(104);
    expect(new Set(OWASP.map(({ entry }) => entry)).size).toBe(OWASP.length);
  });

  it.each(['<b onclick=x>', '<script>', '<a href="javascript:x">', '<img>', '<a href="https://x" onclick="y">', '<a href=x>'])(
    'refuses %s',
    (bad) => {
      expect(bad).not.toMatch(ALLOWED_HTML);
    },
  );
});

describe('what is no attack', () => {
  it.each(['I <3 you', 'AT&T', '2 > 1 && 1 < 2', '"quoted"', '&lt;b&gt;', '¡Olé! 日本 🎉', ''])('%j stays', (text) => {
    expect(mayContainTags(text)).toBe(false);
  });

  it('simple formatting stays in mode html, and only its text in mode text', () => {
    const text = '<p>a <b>b</b> <a href="https://example.org/?a=1&amp;b=2">c</a></p>';
    expect(clean('html', text)).toBe(text);
    expect(clean('text', text)).toBe('a b c');
  });

  it.each([
    ['Q&A "now" <b>&amp;</b> 1 < 2 > 0 <3', 'Q&A "now" & 1 < 2 > 0 <3'],
    ['<i>x</i> &lt;script&gt; &amp;lt;b&amp;gt;', 'x &lt;script> &lt;b&gt;'],
    ['<<b>script>', '&lt;script>'],
  ])('in mode text %j is a text afterwards: only a < that could begin a tag is escaped', (text, expected) => {
    expect(clean('text', text)).toBe(expected);
  });

  it('in mode html a text with tags is HTML afterwards', () => {
    expect(clean('html', 'a & b <i>c</i>')).toBe('a &amp; b <i>c</i>');
  });

  it('mode text leaves no tag of any text, and what it leaves stays as it is', () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '&',
      '&lt;',
      '&amp;',
      '&#60;',
      '&lt',
      'b',
      'script',
      '/',
      '!--',
      '-->',
      '"',
      ' ',
      '=',
      'x',
      '\0',
      '3',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        const cleaned = clean('text', parts.join(''));
        expect(cleaned).toMatch(ALLOWED_TEXT);
        expect(clean('text', cleaned)).toBe(cleaned);
      }),
    );
  });

  it('a < at the end counts, because a page may join two texts', () => {
    expect(clean('text', 'a <')).toBe('a &lt;');
  });
});
