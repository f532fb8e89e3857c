import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';
import { toWireValue, WireValueError } from '../../src/protocol/wire-value.ts';
import { sendable, UNSENDABLE } from '../support/wire-values.ts';

describe.each([msgpackCodec, jsonCodec])('$encoding: an application’s value', (codec) => {
  it('is written as its plain form is', () => {
    fc.assert(
      fc.property(sendable(), ({ value, wire }) => {
        expect(Buffer.from(codec.encode({ value })).equals(codec.encode({ value: wire }))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['a function', 'a bigint above 64 bits', 'an invalid Date', 'an object in itself'])('is refused when it is %s', (what) => {
    expect(() => codec.encode({ value: UNSENDABLE[what]?.() })).toThrow(WireValueError);
  });
});

describe('the plain form of a value', () => {
  it('has nothing of the value’s own in it but texts, numbers and bytes', () => {
    const inner = { a: 1 };
    const value = { list: [inner], at: new Date(5) };
    const plain = toWireValue(value, WireValueError) as typeof value;
    expect(plain).toEqual(value);
    expect([plain === value, plain.list === value.list, plain.list[0] === inner, plain.at === value.at]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('knows Dates, Maps, Sets and bytes of another realm', async () => {
    const { runInNewContext } = await import('node:vm');
    const foreign = runInNewContext(
      '({ at: new Date(5), map: new Map([["a", 1]]), set: new Set([1]), bytes: new Int16Array([300]), buffer: new ArrayBuffer(1) })',
    );
    expect(toWireValue(foreign, WireValueError)).toEqual({
      at: new Date(5),
      map: { a: 1 },
      set: [1],
      bytes: Uint8Array.of(44, 1),
      buffer: Uint8Array.of(0),
    });
    const error = runInNewContext('new TypeError("x")');
    expect(() => toWireValue({ error }, WireValueError)).toThrow('cannot be sent: error is an object of kind Error');
  });
});
