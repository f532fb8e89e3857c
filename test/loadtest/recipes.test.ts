import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';

const load = (path: string) => import(new URL(`../../loadtest/k6/lib/${path}`, import.meta.url).href);
// Plain JavaScript, for k6: what it has is said here.
const { encode, decode } = (await load('msgpack.js')) as { encode(value: unknown): Uint8Array; decode(bytes: Uint8Array): unknown };
const text = fc.string({ unit: 'binary', maxLength: 300 });
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    // No minus zero: JSON has none, so no payload does.
    fc.double({ noNaN: true }).map((value) => value + 0),
    text,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(
      fc.string({ maxLength: 40 }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 20, noNullPrototype: true },
    ),
  ),
})).value;

describe('the MessagePack of the k6 and artillery suites', () => {
  it('reads what Stentor writes', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(packMsgpack(value))).toEqual(unpackMsgpack(packMsgpack(value)));
      }),
    );
  });

  it('writes what Stentor reads', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(unpackMsgpack(encode(value))).toEqual(value);
      }),
    );
  });

  it('reads long texts and bytes, and says when a message ends too early', () => {
    const long = 'ü'.repeat(70_000);
    const decoded = decode(packMsgpack({ long, bytes: new Uint8Array([1, 2, 255]) })) as { long: string; bytes: Uint8Array };
    expect(decoded.long === long).toBe(true);
    expect([...decoded.bytes]).toEqual([1, 2, 255]);
    expect(() => decode(packMsgpack(long).subarray(0, 100))).toThrow('too early');
  });
});
