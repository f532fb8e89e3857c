import { describe, expect, it } from 'vitest';
import { HubDocuments, type TopicBounds } from '../../../src/hub/documents/hub-documents.ts';
import {
  decodeKeyedImage,
  decodePart,
  encodeKeyedImage,
  encodeParts,
  type KeyedImage,
  partOf,
} from '../../../src/hub/documents/keyed-image.ts';
import type { LinkItem } from '../../../src/link/publication-message.ts';
import { type KeptBytes, toBuffer } from '../../../src/protocol/kept-bytes.ts';
import { packMsgpack, unpackMsgpack } from '../../../src/protocol/msgpack-codec.ts';
import { parseKey } from '../../../src/protocol/topic.ts';

const BOUNDS: TopicBounds = { bytesMax: 100_000, depthMax: 16, fieldsMax: 1000, keysMax: 3000, topicBytesMax: 10_000_000 };
const ORIGIN = { epoch: 'e1', offset: 5000, publishedAtMs: 1.5, upTo: 5001 };

function itemOf(offset: number, key: string, value: unknown, more: Partial<LinkItem> = {}): LinkItem {
  return { offset, key: parseKey(key), data: Buffer.from(packMsgpack(value)), publishedAtMs: offset, ...more };
}

function documentsOf(count: number, bytesEach: number, bounds: Partial<TopicBounds> = {}): HubDocuments {
  const documents = new HubDocuments({ bounds: { ...BOUNDS, ...bounds }, removedMax: 10, completeFrom: 0 });
  for (let n = 1; n <= count; n++) documents.take(itemOf(n, `key ${n}`, { n, pad: 'x'.repeat(bytesEach) }));
  return documents;
}

function imageOf(parts: readonly Uint8Array[], more: Partial<KeyedImage> = {}): KeyedImage {
  return { ...ORIGIN, bounds: BOUNDS, bytes: 1, parts: parts.map((_, at) => 6000 + at), ...more };
}

describe('the image of a keyed topic', () => {
  it('has all documents in parts by the hash of their keys, none larger than allowed, and is read from them', () => {
    const documents = documentsOf(500, 100);
    documents.take(itemOf(600, 'key 7', { eventful: true }, { patch: true, eventAtMs: 123 }));
    documents.take(itemOf(601, 'key 8', null, { removed: true }));
    const parts = encodeParts(documents.all(), ORIGIN, 8192) ?? [];
    expect([8, 16]).toContain(parts.length);
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(8192);
    const image = imageOf(parts);
    const again = new HubDocuments({ bounds: BOUNDS, removedMax: 10, completeFrom: 0 });
    for (const [at, part] of parts.entries()) {
      const items = decodePart(part, image, at) ?? [];
      expect(items.every(({ key }) => partOf(key as string, parts.length) === at)).toBe(true);
      for (const item of items) again.set(item);
    }
    const listOf = (all: HubDocuments) =>
      all.between().flatMap(({ removed, data, ...rest }) => (removed ? [] : [{ ...rest, value: unpackMsgpack(toBuffer(data)) }]));
    expect(listOf(again)).toEqual(listOf(documents));
    expect(again).toMatchObject({ size: 499, bytes: documents.bytes, isKnown: true });
    expect(unpackMsgpack(toBuffer(again.itemOf(parseKey('key 7'))?.data as KeptBytes))).toMatchObject({ n: 7, eventful: true });
  });

  it('is one part where that is enough, also without any document', () => {
    expect(encodeParts(documentsOf(3, 10).all(), ORIGIN, 8192)).toHaveLength(1);
    const [none] = encodeParts(documentsOf(0, 0).all(), ORIGIN, 8192) as [Uint8Array];
    expect(decodePart(none, imageOf([none]), 0)).toEqual([]);
  });

  it('cannot be made where one document is larger than a part', () => {
    const documents = documentsOf(10, 10);
    documents.take(itemOf(20, 'large', { pad: 'x'.repeat(9000) }));
    expect(encodeParts(documents.all(), ORIGIN, 8192)).toBeUndefined();
  });

  it('takes no part of another image, or in another place', () => {
    const parts = encodeParts(documentsOf(500, 100).all(), ORIGIN, 8192) as [Uint8Array, Uint8Array];
    const image = imageOf(parts);
    expect(decodePart(parts[1], image, 1)).toBeDefined();
    expect(decodePart(parts[0], image, 1)).toBeUndefined();
    expect(decodePart(parts[1], { ...image, offset: ORIGIN.offset + 1 }, 1)).toBeUndefined();
    expect(decodePart(parts[1], { ...image, epoch: 'e2' }, 1)).toBeUndefined();
    expect(decodePart(parts[1], { ...image, parts: image.parts.slice(1) }, 1)).toBeUndefined();
    expect(decodePart(Buffer.from('no part'), image, 1)).toBeUndefined();
  });

  it('is read only if it was stored after all that it names', () => {
    const image = imageOf([Buffer.alloc(1), Buffer.alloc(1)], { eventAtMs: 7 });
    const payload = encodeKeyedImage(image);
    expect(decodeKeyedImage({ payload, offset: 6002 })).toMatchObject({ ...image });
    expect(decodeKeyedImage({ payload, offset: 6001 })).toBeUndefined();
    expect(decodeKeyedImage({ payload: encodeKeyedImage({ ...image, parts: [] }), offset: 6002 })).toBeUndefined();
    expect(decodeKeyedImage({ payload: encodeKeyedImage({ ...image, upTo: 4999 }), offset: 6002 })).toBeUndefined();
  });
});

describe('the documents of a keyed topic in the hub', () => {
  it('refuse what a topic has no room for, to the byte, and take it when there is room', () => {
    const documents = documentsOf(2, 1000, { keysMax: 3, topicBytesMax: 3000 });
    const room = 3000 - documents.bytes;
    const fits = itemOf(10, 'c', { pad: 'x'.repeat(room - 8) });
    const tooLarge = itemOf(10, 'c', { pad: 'x'.repeat(room - 7) });
    expect(documents.take(tooLarge)).toMatchObject({ kind: 'refused', problem: expect.stringContaining('3001 bytes') });
    expect(documents.take(fits)).toEqual({ kind: 'folded' });
    expect(documents.bytes).toBe(3000);
    expect(documents.take(itemOf(11, 'd', {}))).toMatchObject({ kind: 'refused', problem: expect.stringContaining('3 keys') });
    expect(documents.take(itemOf(12, 'c', { more: 1 }, { patch: true }))).toMatchObject({ kind: 'refused' });
    expect(documents.problemOf({ more: 1 }, true, parseKey('c'))).toContain('bytes');
    documents.take(itemOf(13, 'c', null, { removed: true }));
    expect(documents.take(itemOf(14, 'd', {}))).toEqual({ kind: 'folded' });
  });

  it('are known again when each that was not is published as a whole, or removed', () => {
    const documents = documentsOf(3, 10);
    documents.forget([parseKey('key 1'), parseKey('key 2')]);
    expect(documents).toMatchObject({ isKnown: false, size: 1 });
    expect(documents.between()).toEqual([]);
    expect(documents.after(0)).toBeUndefined();
    expect(documents.take(itemOf(10, 'key 1', { a: 1 }, { patch: true }))).toEqual({ kind: 'unknown' });
    expect(documents.take(itemOf(11, 'key 3', { a: 1 }, { patch: true }))).toEqual({ kind: 'unknown' });
    expect(documents.take(itemOf(12, 'key 1', { a: 1 }))).toEqual({ kind: 'unknown' });
    expect(documents.take(itemOf(13, 'key 2', null, { removed: true }))).toEqual({ kind: 'begun' });
    expect(documents.between().map(({ key, removed }) => [key, removed])).toEqual([
      ['key 3', undefined],
      ['key 1', undefined],
      ['key 2', true],
    ]);
  });

  it('remember so many removed keys, and say from where on', () => {
    const documents = documentsOf(20, 10);
    for (let n = 1; n <= 15; n++) documents.take(itemOf(100 + n, `key ${n}`, null, { removed: true }));
    expect(documents).toMatchObject({ size: 5, completeFrom: 105 });
    expect(documents.after(104)).toBeUndefined();
    expect(documents.after(105)).toHaveLength(10);
  });

  it('count what the log keeps of the key that changed most, since the last image', () => {
    const documents = documentsOf(3, 10);
    expect(documents.progress.changes).toBe(1);
    for (let n = 0; n < 4; n++) documents.take(itemOf(10 + n, 'key 2', { n }, { patch: true }));
    expect(documents.progress).toMatchObject({ changes: 5, offset: 13, baseOffset: 1 });
    documents.mark();
    documents.take(itemOf(20, 'key 1', { n: 1 }, { patch: true }));
    documents.take(itemOf(21, 'key 2', { n: 1 }, { patch: true }));
    expect(documents.progress.changes).toBe(6);
  });
});
