import { describe, expect, it } from 'vitest';
import type { Publication } from '../../src/bus/bus.ts';
import type { NamespaceOptions } from '../../src/config/schema.ts';
import { toLinkItem } from '../../src/hub/link-item.ts';
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
      item: { offset: 7, key: 'EURUSD', data: Buffer.from(packMsgpack({ bid: 1 })), publishedAtMs: 1000 },
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
    expect(toLinkItem(publication(packed, { payloadKind: 'msgpack' }), plain)).toMatchObject({ item: { data: packed } });
    expect(toLinkItem(publication(packed), namespaceOptions({ payload: 'msgpack' }))).toMatchObject({ item: { data: packed } });
    expect(toLinkItem(publication(packed), plain)).toMatchObject({ kind: 'skipped', reason: 'malformed' });
  });

  it('removes the key for an empty payload or null, in a keyed namespace only', () => {
    for (const payload of ['', 'null', ' null ']) {
      expect(toLinkItem(publication(payload, { key: 'A' as Key }), keyed)).toMatchObject({
        item: { removed: true, data: Uint8Array.of(0xc0) },
      });
      const result = toLinkItem(publication(payload), plain);
      expect(result.kind === 'item' && result.item.removed).toBeUndefined();
    }
  });

  it("skips what exceeds the namespace's limit, exactly at the limit", () => {
    const namespace = namespaceOptions({ maxPayloadBytes: 4 });
    expect(toLinkItem(publication('"ab"'), namespace).kind).toBe('item');
    expect(toLinkItem(publication('"abc"'), namespace)).toEqual({ kind: 'skipped', reason: 'too_big', detail: '5 bytes, 4 allowed' });
  });
});
