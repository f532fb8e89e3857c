import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { difference } from '../../src/document/difference.ts';
import { Fold } from '../../src/document/fold.ts';
import { packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { documents, mergePatch, patches, statesOf, textOf } from '../support/document-fixtures.ts';

const RUNS = { numRuns: 1000 };
/** As a decoder returns it. */
const decoded = (value: unknown) => unpackMsgpack(packMsgpack(value));
/** Values that follow each other: most are like the one before, and have nulls here and there. */
const histories = fc
  .tuple(documents, fc.array(fc.tuple(patches, fc.boolean()), { minLength: 1, maxLength: 8 }))
  .map(([document, changes]) =>
    statesOf(
      document ?? {},
      changes.map(([patch]) => patch),
    ).map((value, at) => [value, changes[at - 1]?.[1]] as const),
  )
  // A value that a patch has not touched may have a null where the one before had something.
  .map((states) => states.map(([value, withNull]) => decoded(withNull && isObject(value) ? { ...value, n: null } : value)));

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

describe('the difference of two values', () => {
  it.each([
    ['what is equal is left out', { a: 1, b: { c: [1, null], d: 'x' } }, { a: 1, b: { c: [1, null], d: 'y' } }, { b: { d: 'y' } }],
    ['a member that is gone is null', { a: 1, b: { c: 1 } }, { b: {} }, { a: null, b: { c: null } }],
    ['a list is a value', { a: [1, 2] }, { a: [1] }, { a: [1] }],
    ['a null that stays does not matter', { bid: null, ask: 1 }, { bid: null, ask: 2 }, { ask: 2 }],
    ['a null within a list may be new', { a: [1] }, { a: [null] }, { a: [null] }],
    ['a map after a text', { a: 'x' }, { a: {} }, { a: {} }],
    ['the order of members means nothing', { a: 1, b: 2 }, { b: 2, a: 1 }, {}],
    ['a new null takes the whole value', { bid: 1 }, { bid: null }, undefined],
    ['also deep in it', { a: { b: { c: 1 } } }, { a: { b: { c: null } } }, undefined],
    ['also within a new map', { a: 1 }, { a: { b: { c: null } } }, undefined],
    ['an infinity too, which is null in JSON', { bid: 1 }, { bid: Number.POSITIVE_INFINITY }, undefined],
    ['also NaN within a new map', { a: 1 }, { a: { b: Number.NaN } }, undefined],
    ['an infinity that stays does not matter', { bid: Number.NEGATIVE_INFINITY, a: 1 }, { bid: Number.NEGATIVE_INFINITY, a: 2 }, { a: 2 }],
    ['no map takes the whole value', 1, { a: 1 }, undefined],
    ['a list too', [1], [1], undefined],
  ])('%s', (_, before, after, expected) => expect(difference(before, after)).toEqual(expected));

  it('tells numbers, bytes and times apart as values', () => {
    const at = (ms: number) => new Date(ms);
    expect(difference({ a: Buffer.from('x'), t: at(1), n: Number.NaN }, { a: Buffer.from('x'), t: at(1), n: Number.NaN })).toEqual({});
    expect(difference({ a: Buffer.from('x'), t: at(1) }, { a: Buffer.from('y'), t: at(2) })).toEqual({ a: Buffer.from('y'), t: at(2) });
    expect(difference({ a: 2n ** 63n }, { a: 2 ** 63 })).toEqual({ a: 2 ** 63 });
    expect(difference({ a: { b: Buffer.from('x') } }, { a: { b: 'x' } })).toEqual({ a: { b: 'x' } });
  });

  it('leads from the one to the other, or takes the whole value', () => {
    let patched = 0;
    fc.assert(
      fc.property(histories, (values) => {
        for (const [at, value] of values.slice(1).entries()) {
          const patch = difference(values[at], value);
          if (patch === undefined) continue;
          patched++;
          expect(textOf(mergePatch(values[at], decoded(patch)))).toBe(textOf(value));
        }
      }),
      RUNS,
    );
    expect(patched).toBeGreaterThan(1000);
  });

  it('leads to the last value from any of them, composed', () => {
    let composed = 0;
    fc.assert(
      fc.property(histories, (values) => {
        const differences = values.slice(1).map((value, at) => difference(values[at], value));
        for (let from = 0; from < differences.length; from++) {
          for (let to = from + 1; to <= differences.length; to++) {
            const range = differences.slice(from, to);
            if (range.some((patch) => patch === undefined)) continue;
            const fold = Fold.ofChanges();
            for (const patch of range) fold.patch(patch);
            const { first, patch } = fold.pairOfChanges();
            // A member may be anywhere in between, or at the end already.
            for (let place = from; place <= to; place++) {
              const begun = first === undefined ? values[place] : mergePatch(values[place], decoded(first));
              expect(textOf(mergePatch(begun, decoded(patch)))).toBe(textOf(values[to]));
              composed++;
            }
          }
        }
      }),
      RUNS,
    );
    expect(composed).toBeGreaterThan(1000);
  });

  it('changes nothing of what it was given', () => {
    fc.assert(
      fc.property(histories, (values) => {
        const before = textOf(values);
        for (let at = 1; at < values.length; at++) difference(values[at - 1], values[at]);
        expect(textOf(values)).toBe(before);
      }),
    );
  });
});
