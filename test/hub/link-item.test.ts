import { describe, expect, it } from 'vitest';
import type { Publication } from '../../src/bus/publication.ts';
import type { NamespaceOptions } from '../../src/config/schema.ts';
import { toLinkItem } from '../../src/hub/link-item.ts';
import { keepBytes } from '../../src/protocol/kept-bytes.ts';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import type { Key, Topic } from '../../src/protocol/topic.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

function publication(payload: string | Uint8Array, more: Partial<Publication> = {}): Publication {
  return {
    topic: 'ticks.fx' as Topic,
    key: null,
    offset: 7,
    publishedAtMs: 1000,
    payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
    payloadKind: undefined,
    origin: undefined,
    ...more,
  };
}

const plain = namespaceOptions();
const keyed: NamespaceOptions = namespaceOptions({ state: 'keyed' });

describe('toLinkItem', () => {
  it('keeps place, key and time, and makes the data MessagePack', () => {
    expect(toLinkItem(publication('{"bid":1}', { key: 'EURUSD' as Key }), keyed)).toEqual({
      kind: 'item',
      item: { offset: 7, key: 'EURUSD', data: keepBytes(packMsgpack({ bid: 1 })), publishedAtMs: 1000 },
    });
  });

  it('says who published when a client did', () => {
    const result = toLinkItem(publication('1', { origin: { user: 'ann', connectionId: 'c1' } }), plain);
    expect(result).toMatchObject({ item: { user: 'ann', connectionId: 'c1' } });
  });

  it('says nothing of an origin that is longer than any token, which only a producer can have written', () => {
    const origin = (length: number) => toLinkItem(publication('1', { origin: { user: '€'.repeat(length), connectionId: 'c' } }), plain);
    expect(origin(16_384)).toMatchObject({ item: { user: '€'.repeat(16_384) } });
    expect(origin(16_385)).toEqual({ kind: 'item', item: { offset: 7, key: null, data: expect.anything(), publishedAtMs: 1000 } });
  });

  it('reads the payload as the message says, else as the namespace does', () => {
    const packed = Buffer.from(packMsgpack([1, 2]));
    const item = { data: keepBytes(packed) };
    expect(toLinkItem(publication(packed, { payloadKind: 'msgpack' }), plain)).toMatchObject({ item });
    expect(toLinkItem(publication(packed), namespaceOptions({ payload: 'msgpack' }))).toMatchObject({ item });
    expect(toLinkItem(publication(packed), plain)).toMatchObject({ kind: 'skipped', reason: 'malformed' });
  });

  it('removes the key for an empty payload or null, in a keyed namespace only', () => {
    for (const payload of ['', 'null', ' null ']) {
      expect(toLinkItem(publication(payload, { key: 'A' as Key }), keyed)).toMatchObject({
        item: { removed: true, data: '\xc0' },
      });
      const result = toLinkItem(publication(payload), plain);
      expect(result.kind === 'item' && result.item.removed).toBeUndefined();
    }
  });

  it.each([10, 1000, 10_000])(
    'keeps no more memory than its bytes of %i: neither the socket read nor the buffer of the packer',
    (length) => {
      toLinkItem(publication(JSON.stringify('x'.repeat(60_000))), plain);
      const read = Buffer.alloc(1_000_000, 1);
      for (const [payload, payloadKind] of [
        [Buffer.from(JSON.stringify('x'.repeat(length))), 'json'],
        [Buffer.from(packMsgpack('x'.repeat(length))), 'msgpack'],
        [read.subarray(0, length), 'bytes'],
      ] as const) {
        const result = toLinkItem(publication(payload, { payloadKind }), plain);
        const data = result.kind === 'item' ? result.item.data : undefined;
        expect(data?.length).toBeGreaterThanOrEqual(length);
        if (typeof data !== 'string') expect(data?.buffer.byteLength).toBe(data?.length);
      }
    },
  );

  it("skips what exceeds the namespace's limit, exactly at the limit", () => {
    const namespace = namespaceOptions({ maxPayloadBytes: 4 });
    expect(toLinkItem(publication('"ab"'), namespace).kind).toBe('item');
    expect(toLinkItem(publication('"abc"'), namespace)).toEqual({ kind: 'skipped', reason: 'too_big', detail: '5 bytes, 4 allowed' });
  });
});
