import { describe, expect, it } from 'vitest';
import { decodeImage, encodeImage, type Image, isInHistory, isOf, itemOf } from '../../../src/hub/documents/image.ts';
import { keepBytes } from '../../../src/protocol/kept-bytes.ts';
import { packMsgpack } from '../../../src/protocol/msgpack-codec.ts';

const IMAGE: Image = {
  epoch: 'e1',
  offset: 10,
  publishedAtMs: 1_700_000_000_000.123,
  upTo: 20,
  bounds: { bytesMax: 1000, depthMax: 8, fieldsMax: 100 },
  document: Buffer.from(packMsgpack({ a: 1 })),
};
const TIMED: Image = { ...IMAGE, eventAtMs: 1_699_999_999_000 };
const NOTHING: Image = { ...IMAGE, document: undefined };

describe('an image', () => {
  it.each([IMAGE, NOTHING, TIMED])('is read as it was written', (image) => {
    expect(decodeImage({ payload: encodeImage(image), offset: 21 })).toEqual({ version: 1, ...image });
  });

  it('is an item of the document, or of nothing', () => {
    expect(itemOf(IMAGE)).toEqual({
      offset: 10,
      key: null,
      publishedAtMs: IMAGE.publishedAtMs,
      data: keepBytes(IMAGE.document as Uint8Array),
    });
    expect(itemOf(TIMED)).toEqual({ ...itemOf(IMAGE), eventAtMs: 1_699_999_999_000 });
    expect(itemOf(NOTHING)).toMatchObject({ offset: 10, removed: true });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no MessagePack', Buffer.from('{"a":1}')],
    ['another version', packMsgpack({ version: 2, ...IMAGE })],
    ['no bounds', packMsgpack({ version: 1, ...IMAGE, bounds: undefined })],
    ['a document that is not encoded', packMsgpack({ version: 1, ...IMAGE, document: { a: 1 } })],
    ['a publication after where the topic was looked at', packMsgpack({ version: 1, ...IMAGE, offset: 21 })],
  ])('says nothing if it has %s', (_, payload) => {
    expect(decodeImage({ payload: Buffer.from(payload), offset: 30 })).toBeUndefined();
  });

  it('says nothing if it lies before what it is of: the log was rolled back, and has grown again', () => {
    expect(decodeImage({ payload: encodeImage(IMAGE), offset: 20 })).toBeUndefined();
  });

  it('is of the publication that was stored at the same time', () => {
    expect(isOf(IMAGE, { publishedAtMs: IMAGE.publishedAtMs + 0.0003 })).toBe(true);
    expect(isOf(IMAGE, { publishedAtMs: IMAGE.publishedAtMs + 0.002 })).toBe(false);
  });

  it('is of the history of the log while the epoch is the same, or continues it that far', () => {
    const log = { epoch: 'e1', firstOffset: 15 };
    expect(isInHistory(IMAGE, log)).toBe(true);
    expect(isInHistory(IMAGE, { ...log, epoch: 'e2' })).toBe(false);
    expect(isInHistory(IMAGE, { ...log, epoch: 'e2', before: [{ epoch: 'e1', upTo: 20 }] })).toBe(true);
    expect(isInHistory(IMAGE, { ...log, epoch: 'e2', before: [{ epoch: 'e1', upTo: 19 }] })).toBe(false);
    expect(isInHistory(IMAGE, { ...log, knownFrom: 21 })).toBe(false);
    // Its publication should be there, and is not.
    expect(isInHistory(IMAGE, { ...log, firstOffset: 10 })).toBe(false);
  });
});
