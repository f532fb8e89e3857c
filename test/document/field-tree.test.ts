import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FieldTree, fieldPaths, fieldTree, projectDocument, projectPatch, withWays } from '../../src/document/field-tree.ts';
import { Fold } from '../../src/document/fold.ts';
import { FIELD_DEPTH_MAX, isFieldPath } from '../../src/protocol/field-path.ts';
import { documents, mapPatches, mergePatch, patches, statesOf, textOf } from '../support/document-fixtures.ts';
import { fieldPathLists, projected } from '../support/field-fixtures.ts';

const RUNS = { numRuns: 3000 };

/** As a client applies it. */
function afterPatch(document: unknown, patch: unknown, tree: FieldTree): unknown {
  const change = projectPatch(patch, tree);
  return change === undefined ? document : mergePatch(document, change);
}

describe('paths of fields', () => {
  it('are JSON Pointers to members', () => {
    for (const path of ['/a', '/a/b', '/', '/~0~1', '/ä 😀', '/a.b/c', '//'])
      expect({ path, is: isFieldPath(path) }).toEqual({ path, is: true });
    for (const path of ['', 'a', 'a/b', '/~', '/~2', '/a~']) expect({ path, is: isFieldPath(path) }).toEqual({ path, is: false });
    expect(isFieldPath('/a'.repeat(FIELD_DEPTH_MAX))).toBe(true);
    expect(isFieldPath('/a'.repeat(FIELD_DEPTH_MAX + 1))).toBe(false);
  });

  it('mean the same in any order, repeated, and with what others cover', () => {
    const paths = ['/b', '/a/b', '/a-b', '/~1~0/x'];
    const canonical = fieldPaths(fieldTree(paths));
    expect([...canonical].sort()).toEqual([...paths].sort());
    for (const same of [[...paths].reverse(), [...paths, '/b/c', '/a/b/c/d', '/b']]) expect(fieldPaths(fieldTree(same))).toEqual(canonical);
    fc.assert(
      fc.property(fieldPathLists, (list) => {
        const tree = fieldTree(list);
        expect(fieldPaths(fieldTree(fieldPaths(tree)))).toEqual(fieldPaths(tree));
        expect(fieldPaths(fieldTree([...list].reverse()))).toEqual(fieldPaths(tree));
      }),
    );
  });
});

describe('the projection of a document', () => {
  it('has the members, and the maps on the way to them', () => {
    const tree = fieldTree(['/best/bid', '/status']);
    const of = (document: unknown) => projectDocument(document, tree);
    expect(of({ status: 'open', best: { bid: { price: 1 }, ask: 2 }, bids: {} })).toEqual({ status: 'open', best: { bid: { price: 1 } } });
    expect(of({ status: 'open' })).toEqual({ status: 'open', best: {} });
    for (const none of [undefined, 5, 'text', [1], { best: 5 }, { best: [{ bid: 1 }] }]) expect(of(none)).toEqual({ best: {} });
    expect(projectDocument({ '': 1, 'a/b': { '~': null } }, fieldTree(['/', '/a~1b/~0']))).toEqual({ '': 1, 'a/b': { '~': null } });
    const evil = JSON.parse('{"__proto__":{"a":1,"b":2}}');
    expect(JSON.stringify(projectDocument(evil, fieldTree(['/__proto__/a'])))).toBe('{"__proto__":{"a":1}}');
  });

  it('is what the reference says', () => {
    fc.assert(
      fc.property(documents, fieldPathLists, (document, paths) => {
        expect(textOf(projectDocument(document, fieldTree(paths)))).toBe(textOf(projected(document, paths)));
      }),
      RUNS,
    );
  });

  it('after any patch is the projection of the patch, applied to the projection before', () => {
    fc.assert(
      fc.property(documents, fc.array(mapPatches, { maxLength: 6 }), fieldPathLists, (document, history, paths) => {
        const tree = fieldTree(paths);
        let folded: unknown = projected(document, paths);
        for (const [at, state] of statesOf(document, history).entries()) {
          if (at > 0) folded = afterPatch(folded, history[at - 1], tree);
          expect(textOf(folded)).toBe(textOf(projected(state, paths)));
        }
      }),
      RUNS,
    );
  });

  it('after a composed pair, from any point that it covers, is that of the end', () => {
    fc.assert(
      fc.property(
        documents,
        fc.array(mapPatches, { minLength: 1, maxLength: 6 }),
        fieldPathLists,
        fc.nat(),
        (document, history, paths, cut) => {
          const tree = fieldTree(paths);
          const fold = Fold.ofChanges();
          for (const patch of history) fold.patch(patch);
          const { first, patch } = fold.pairOfChanges();
          const states = statesOf(document, history);
          const from = projected(states[cut % states.length], paths);
          const deleted = first === undefined ? from : afterPatch(from, first, tree);
          expect(textOf(afterPatch(deleted, patch, tree))).toBe(textOf(projected(states.at(-1), paths)));
        },
      ),
      RUNS,
    );
  });

  it('of a document that a patch begins has the maps on the way', () => {
    fc.assert(
      fc.property(mapPatches, fieldPathLists, documents, (patch, paths, before) => {
        const tree = fieldTree(paths);
        const change = withWays(projectPatch(patch, tree), tree);
        expect(textOf(mergePatch(undefined, change))).toBe(textOf(projected(mergePatch(undefined, patch), paths)));
        // It does no harm where there was a document.
        expect(textOf(mergePatch(projected(before, paths), change))).toBe(textOf(projected(mergePatch(before, patch), paths)));
      }),
      RUNS,
    );
  });

  it('is not changed by a patch of other members', () => {
    const tree = fieldTree(['/best/bid', '/status']);
    for (const patch of [{}, { bids: { 1: null } }, { best: {} }, { best: { ask: null } }])
      expect(projectPatch(patch, tree)).toBeUndefined();
    expect(projectPatch({ best: null, bids: 1 }, tree)).toEqual({ best: { bid: null } });
    expect(projectPatch({ best: 5, status: null }, tree)).toEqual({ best: { bid: null }, status: null });
  });

  it('does not change what it was given', () => {
    fc.assert(
      fc.property(patches, fieldPathLists, (patch, paths) => {
        const before = structuredClone(patch);
        const tree = fieldTree(paths);
        projectDocument(patch, tree);
        withWays(projectPatch(patch, tree), tree);
        expect(textOf(patch)).toBe(textOf(before));
      }),
    );
  });
});
