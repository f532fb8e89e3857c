import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentProblem, patchProblem } from '../../src/document/bounds.ts';
import { Fold } from '../../src/document/fold.ts';
import { sizeOf } from '../../src/document/size.ts';
import { depthOf } from '../../src/document/value.ts';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { documents, mergePatch, patches, textOf } from '../support/document-fixtures.ts';

const BOUNDS = { bytesMax: 100, depthMax: 3, fieldsMax: 6 };

describe('the bounds of a document', () => {
  it('count bytes as MessagePack does', () => {
    const numbers = [
      0,
      127,
      128,
      255,
      256,
      65_535,
      65_536,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 53,
      -1,
      -32,
      -33,
      -128,
      -129,
      -32_768,
      -32_769,
      -(2 ** 31),
      -(2 ** 31) - 1,
      0.5,
      -0,
    ];
    const texts = [0, 31, 32, 255, 256, 65_535, 65_536].map((length) => 'x'.repeat(length));
    const lists = [0, 15, 16, 65_535, 65_536].map((length) => new Array(length).fill(1));
    const bytes = [0, 255, 256, 65_536].map((length) => new Uint8Array(length));
    for (const value of [...numbers, ...texts, ...lists, ...bytes, 'é', '€', '😀', 2n ** 60n, null, true]) {
      expect([typeof value, sizeOf(value).bytes]).toEqual([typeof value, packMsgpack(value).length]);
    }
  });

  it('count bytes of any document as MessagePack does', () => {
    fc.assert(
      fc.property(documents, (document) => {
        fc.pre(document !== undefined);
        expect(sizeOf(document).bytes).toBe(packMsgpack(document).length);
      }),
    );
  });

  it('refuse a patch exactly where the document that it makes is too large', () => {
    fc.assert(
      fc.property(documents, patches, (document, patch) => {
        const after = mergePatch(document, patch);
        const { bytes, fields } = sizeOf(after);
        const exact = { bytesMax: bytes, depthMax: 60, fieldsMax: fields };
        const fold = Fold.ofDocument(document);
        expect(patchProblem(fold, patch, exact)).toBeUndefined();
        expect(patchProblem(fold, patch, { ...exact, bytesMax: bytes - 1 })).toContain('bytes');
        expect(patchProblem(fold, patch, { ...exact, fieldsMax: fields - 1 })).toContain('fields');
        expect(textOf(fold.document())).toBe(textOf(document));
      }),
      { numRuns: 1000 },
    );
  });

  it('never let a document become deeper than a patch may be', () => {
    fc.assert(
      fc.property(documents, patches, (document, patch) => {
        expect(depthOf(mergePatch(document, patch))).toBeLessThanOrEqual(Math.max(depthOf(document), depthOf(patch)));
      }),
    );
    expect(patchProblem(Fold.ofDocument({}), { a: { b: { c: {} } } }, BOUNDS)).toContain('4 levels; at most 3');
  });

  it('say of a whole document what is wrong', () => {
    expect(documentProblem({ a: 1 }, BOUNDS)).toBeUndefined();
    expect(documentProblem({ a: 'x'.repeat(100) }, BOUNDS)).toBe('the document would have 105 bytes; at most 100 are allowed');
    expect(documentProblem([1, 2, 3, 4, 5, 6, 7], BOUNDS)).toBe('the document would have 7 fields; at most 6 are allowed');
  });
});
