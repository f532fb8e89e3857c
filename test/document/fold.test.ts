import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fold } from '../../src/document/fold.ts';
import { applyPair } from '../../src/document/merge-patch.ts';
import { sizeOf } from '../../src/document/size.ts';
import { packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { documents, mapPatches, patches, statesOf, textOf } from '../support/document-fixtures.ts';

const RUNS = { numRuns: 2000 };
const histories = fc.array(mapPatches, { minLength: 1, maxLength: 8 });

function composed(history: readonly unknown[]): Fold {
  const fold = Fold.ofChanges();
  for (const patch of history) fold.patch(patch);
  return fold;
}

/** As it arrives at the other end of a connection. */
function sent<T>(value: T): T {
  return value === undefined ? value : (unpackMsgpack(packMsgpack(value)) as T);
}

describe('the fold of a document', () => {
  it('is what the merge patches make of it, one after the other', () => {
    fc.assert(
      fc.property(documents, fc.array(patches, { maxLength: 8 }), (document, history) => {
        const fold = Fold.ofDocument(document);
        for (const patch of history) fold.patch(patch);
        expect(textOf(fold.document())).toBe(textOf(statesOf(document, history).at(-1)));
      }),
      RUNS,
    );
  });

  it('knows its size after every change, and before it', () => {
    fc.assert(
      fc.property(documents, fc.array(patches, { maxLength: 8 }), (document, history) => {
        const fold = Fold.ofDocument(document);
        for (const patch of history) {
          const { bytes, fields } = fold.sizeAfter(patch);
          fold.patch(patch);
          const { bytes: bytesNow, fields: fieldsNow } = fold.size;
          expect({ bytes: bytesNow, fields: fieldsNow }).toEqual({ bytes, fields });
          expect({ bytes, fields }).toEqual(sizeOf(fold.document()));
        }
      }),
      RUNS,
    );
  });

  it('does not change what it was given', () => {
    fc.assert(
      fc.property(documents, fc.array(patches, { maxLength: 5 }), (document, history) => {
        const before = structuredClone([document, history]);
        const fold = Fold.ofDocument(document);
        for (const patch of history) fold.patch(patch);
        expect(textOf([document, history])).toBe(textOf(before));
      }),
    );
  });
});

describe('the composition of merge patches', () => {
  it('leads from any state between its first change and its last to the last', () => {
    fc.assert(
      fc.property(documents, histories, (document, history) => {
        const states = statesOf(document, history);
        const pair = composed(history).pairOfChanges();
        for (const state of states) expect(textOf(applyPair(state, pair))).toBe(textOf(states.at(-1)));
      }),
      RUNS,
    );
  });

  it('of any ranges, which may overlap, folds to the same as the whole history, after their transport too', () => {
    const cuts = fc.array(fc.tuple(fc.nat(100), fc.nat(3)), { maxLength: 6 });
    fc.assert(
      fc.property(documents, histories, cuts, (document, plainHistory, jumps) => {
        // The decoder renames a member `__proto__`.
        const history = plainHistory.map(sent);
        const states = statesOf(sent(document), history);
        let at = 0;
        let mine = states[0];
        const ends = [...jumps.map(([end, back]) => ({ end: end % (history.length + 1), back })), { end: history.length, back: 0 }];
        for (const { end, back } of ends) {
          if (end <= at) continue;
          mine = applyPair(mine, sent(composed(history.slice(Math.max(0, at - back), end)).pairOfChanges()));
          at = end;
          expect(textOf(mine)).toBe(textOf(states[at]));
        }
      }),
      RUNS,
    );
  });

  it('composes pairs as it composes their patches', () => {
    fc.assert(
      fc.property(documents, histories, histories, (document, early, late) => {
        const fold = Fold.ofChanges();
        fold.pair(composed(early).pairOfChanges());
        fold.pair(composed(late).pairOfChanges());
        expect(textOf(applyPair(document, fold.pairOfChanges()))).toBe(textOf(statesOf(document, [...early, ...late]).at(-1)));
      }),
      RUNS,
    );
  });

  it('is the same backwards', () => {
    fc.assert(
      fc.property(documents, histories, (document, history) => {
        const states = statesOf(document, history);
        const fold = Fold.ofChanges();
        for (let at = history.length - 1; at >= 0; at--) {
          fold.patchBefore(history[at]);
          for (const state of states.slice(at)) expect(textOf(applyPair(state, fold.pairOfChanges()))).toBe(textOf(states.at(-1)));
        }
      }),
      RUNS,
    );
  });

  it('with the document before it, or with a patch that is no map, knows the whole document', () => {
    fc.assert(
      fc.property(documents, fc.array(patches, { maxLength: 6 }), (document, history) => {
        const fold = Fold.ofChanges();
        for (const patch of history.toReversed()) fold.patchBefore(patch);
        fold.replaceBefore(document);
        expect(fold.isWhole).toBe(true);
        expect(textOf(fold.document())).toBe(textOf(statesOf(document, history).at(-1)));
      }),
      RUNS,
    );
  });

  it('costs no more than the members that change', () => {
    const levels = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`${i}`, '1.0']));
    const fold = Fold.ofChanges();
    fold.patch({ bids: levels });
    let members = 0;
    const patch = new Proxy({ bids: { 7: '2.0' } } as Record<string, unknown>, {
      ownKeys: (target) => {
        members++;
        return Reflect.ownKeys(target);
      },
    });
    for (let i = 0; i < 1000; i++) fold.patch(patch);
    // One listing of the patch's own members each time; the 20,000 others are counted by the size, which is kept.
    expect(members).toBe(1000);
    expect(fold.size.bytes).toBe(packMsgpack(fold.pairOfChanges().patch).length);
  });

  it.each([
    ['a deleted member that becomes a map', [{ a: null }, { a: { x: 1 } }], { first: { a: null }, patch: { a: { x: 1 } } }],
    ['a text that becomes a map', [{ a: 't' }, { a: { x: 1 } }], { first: { a: null }, patch: { a: { x: 1 } } }],
    ['an empty map, which replaces a text', [{ a: {} }], { patch: { a: {} } }],
    ['a deletion in a map that may not be there', [{ a: { b: null } }], { patch: { a: { b: null } } }],
    ['nulls in a list', [{ a: [null, { b: null }] }], { patch: { a: [null, { b: null }] } }],
    ['a member that is deleted after all', [{ a: { x: 1 } }, { a: null }], { patch: { a: null } }],
    ['changes side by side', [{ a: 1 }, { b: 2 }, { a: 3 }], { patch: { a: 3, b: 2 } }],
  ])('%s', (_, history, pair) => {
    expect(composed(history).pairOfChanges()).toEqual(pair);
  });
});
