import { describe, expect, it } from 'vitest';
import { FanoutItem } from '../../src/fanout/item.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { toBuffer } from '../../src/protocol/kept-bytes.ts';
import { packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';

const HEAD = { offset: 7, key: null, publishedAtMs: 1 };

/** Up to a kilobyte an item is kept as a text, above as a buffer. */
describe.each([3, 3000])('a pair of patches, the first with %d members', (members) => {
  const first = Object.fromEntries(Array.from({ length: members }, (_, n) => [`m${n}`, null]));
  const patch = { m0: 1 };

  it('has both in its bytes, which are all that it keeps', () => {
    const deletions = Buffer.from(packMsgpack(first));
    const data = Buffer.from(packMsgpack(patch));
    const plain = new FanoutItem({ ...HEAD, data, patch: true });
    const pair = new FanoutItem({ ...HEAD, data, patch: true, first: deletions });
    const { length } = deletions;
    // What it was made of is used for something else.
    deletions.fill(0);
    data.fill(0);
    expect([unpackMsgpack(pair.first as Uint8Array), unpackMsgpack(pair.data)]).toEqual([first, patch]);
    expect(pair.bytes - plain.bytes).toBe(pair.wireBytes - plain.wireBytes);
    expect(pair.bytes - plain.bytes).toBe(length + packMsgpack('first').length);
    expect(plain.first).toBeUndefined();
  });

  it('has both in JSON, whatever else is said of it', () => {
    const said = { eventAtMs: 5, user: 'ann', tags: { league: 'epl' } };
    const pair = new FanoutItem({ ...HEAD, ...said, data: packMsgpack({}), patch: true }).withPatch(packMsgpack(patch), packMsgpack(first));
    expect(jsonCodec.decode(toBuffer(pair.encoded('json')))).toEqual([
      7,
      null,
      patch,
      { tags: said.tags, eventAtMs: 5, origin: 'ann', patch: true, first },
    ]);
  });
});
