import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyPatch } from '../../src/document/merge-patch.ts';
import { documents, mergePatch, patches, textOf } from '../support/document-fixtures.ts';

describe('a merge patch', () => {
  // RFC 7396, appendix A.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j, %j is %j', (document, patch, result) => {
    expect(applyPatch(document, patch)).toEqual(result);
  });

  it('does what the RFC says, to any document, and changes neither', () => {
    fc.assert(
      fc.property(documents, patches, (document, patch) => {
        const before = structuredClone([document, patch]);
        expect(textOf(applyPatch(document, patch))).toBe(textOf(mergePatch(document, patch)));
        expect(textOf([document, patch])).toBe(textOf(before));
      }),
      { numRuns: 2000 },
    );
  });

  it('shares what it does not change', () => {
    const document = { bids: { 1: 'a' }, asks: { 2: 'b' } };
    const after = applyPatch(document, { bids: { 3: 'c' } }) as typeof document;
    expect(after.asks).toBe(document.asks);
    expect(after.bids).not.toBe(document.bids);
    expect(applyPatch(document, { bids: { 1: 'a' }, cleared: null })).toBe(document);
  });

  it('takes bytes and times as values, and a member __proto__ as a member', () => {
    const bytes = Uint8Array.of(1);
    const time = new Date(0);
    const patch = JSON.parse('{"__proto__":{"polluted":true}}');
    const after = applyPatch({ a: { b: 1 } }, { a: bytes, time, ...patch }) as Record<string, unknown>;
    expect(after).toMatchObject({ a: bytes, time });
    expect(Object.keys(after)).toContain('__proto__');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(applyPatch(after, { a: { c: 1 } })).toMatchObject({ a: { c: 1 } });
  });
});
