import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PayloadKind } from '../../src/config/schema.ts';
import { msgpackToPayload, payloadToMsgpack } from '../../src/hub/payload.ts';
import { DATA_DEPTH_MAX } from '../../src/protocol/depth.ts';
import { stringifyJson } from '../../src/protocol/json-writer.ts';
import { packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { assertMsgpack } from '../../src/protocol/msgpack-scan.ts';
import { jsonData, msgpackData } from '../support/arbitrary.ts';

const KINDS: PayloadKind[] = ['json', 'msgpack', 'bytes'];

function decoded(payload: Uint8Array, kind: PayloadKind): unknown {
  const result = payloadToMsgpack(payload, kind);
  if (result.kind === 'malformed') throw new Error(result.reason);
  return unpackMsgpack(result.data);
}

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

describe('payloadToMsgpack', () => {
  it('transcodes any JSON value', () => {
    fc.assert(
      fc.property(jsonData(), (value) => {
        expect(decoded(Buffer.from(stringifyJson(value)), 'json')).toEqual(value);
      }),
    );
  });

  it('keeps the digits of a JSON producer’s integers: 64 bits in MessagePack, text beyond', () => {
    const payload = '{"orderId":8389765929445198309,"low":-9223372036854775808,"high":18446744073709551615,"wide":18446744073709551616}';
    const result = payloadToMsgpack(Buffer.from(payload), 'json');
    expect(result.kind === 'value' && unpackMsgpack(result.data)).toEqual({
      orderId: 8389765929445198309n,
      low: -9223372036854775808n,
      high: 18446744073709551615n,
      wide: '18446744073709551616',
    });
    // They use MessagePack's 64-bit formats.
    expect(result.kind === 'value' && Buffer.from(result.data).toString('hex')).toContain('d3746e6fa9754189e5');
  });

  it('uses MessagePack unchanged, byte for byte', () => {
    fc.assert(
      fc.property(msgpackData(), (value) => {
        const payload = packMsgpack(value);
        expect(payloadToMsgpack(payload, 'msgpack')).toMatchObject({ kind: 'value', data: Buffer.from(payload) });
      }),
    );
  });

  it('wraps any bytes as bin', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (bytes) => {
        expect(decoded(bytes, 'bytes')).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it.each(KINDS)('of kind %s is one MessagePack value, or malformed, for any bytes', (kind) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const result = payloadToMsgpack(bytes, kind);
        if (result.kind === 'value') assertMsgpack(result.data, { depthMax: DATA_DEPTH_MAX });
        else expect(result.reason).not.toBe('');
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['json', ''],
    ['msgpack', ''],
    ['bytes', ''],
    ['json', 'null'],
    ['json', ' null\n'],
    ['msgpack', '\xc0'],
  ] as const)('of kind %s is empty when it says %j', (kind, text) => {
    const result = payloadToMsgpack(Buffer.from(text, 'latin1'), kind);
    expect(result).toMatchObject({ kind: 'value', empty: true });
    expect(result.kind === 'value' && [...result.data]).toEqual([0xc0]);
  });

  it.each([
    ['json', '0'],
    ['json', '""'],
    ['json', '[]'],
    ['json', '"null"'],
    ['json', '[null]'],
    ['msgpack', '\xc2'],
    ['bytes', 'null'],
    ['bytes', '\xc0'],
  ] as const)('of kind %s is not empty when it says %j', (kind, text) => {
    expect(payloadToMsgpack(Buffer.from(text, 'latin1'), kind)).toMatchObject({ kind: 'value', empty: false });
  });

  it.each([
    ['json', '{', 'not valid JSON'],
    ['json', '\xff', 'not valid JSON'],
    ['json', 'NaN', 'not valid JSON'],
    ['json', nested(DATA_DEPTH_MAX + 1), 'nested'],
    ['msgpack', '\xc1', 'not allowed'],
    ['msgpack', '\x01\x02', 'bytes after'],
    ['msgpack', '\xdd\xff\xff\xff\xff', 'exceeds'],
    ['msgpack', '\x91'.repeat(DATA_DEPTH_MAX + 1), 'nested'],
    ['msgpack', '\xa3\xed\xa0\x80', 'not UTF-8'],
    ['msgpack', '\xc7\x02\x5a\x03\x00', 'extension'],
  ] as const)('of kind %s is malformed when it says %j', (kind, text, reason) => {
    expect(payloadToMsgpack(Buffer.from(text, 'latin1'), kind)).toEqual({ kind: 'malformed', reason: expect.stringContaining(reason) });
  });
});

describe('msgpackToPayload', () => {
  it.each(['json', 'msgpack'] as const)('and back: what a client publishes to a %s namespace is what members get', (kind) => {
    fc.assert(
      fc.property(jsonData(), (value) => {
        const payload = msgpackToPayload(packMsgpack(value), kind) as Uint8Array;
        expect(decoded(payload, kind)).toEqual(value);
      }),
    );
  });

  it('passes bytes to a bytes namespace, from bin or from base64 text', () => {
    const bytes = Buffer.from([0, 1, 254, 255]);
    expect(msgpackToPayload(packMsgpack(bytes), 'bytes')).toEqual(bytes);
    expect(msgpackToPayload(packMsgpack(bytes.toString('base64')), 'bytes')).toEqual(bytes);
    expect(msgpackToPayload(packMsgpack(''), 'bytes')).toEqual(Buffer.alloc(0));
    for (const value of ['not base64!', 'AAA', 'AAA=A', 7, null, ['AAAA'], { a: 1 }]) {
      expect(msgpackToPayload(packMsgpack(value), 'bytes')).toBeUndefined();
    }
  });

  it('says bytes as base64 and 64-bit integers as numbers with all their digits to a JSON namespace', () => {
    const data = { a: Buffer.from('hi'), b: 2n ** 60n, c: -(2n ** 63n), d: 2n ** 64n - 1n };
    const payload = msgpackToPayload(packMsgpack(data), 'json') as Uint8Array;
    expect(`${payload}`).toBe('{"a":"aGk=","b":1152921504606846976,"c":-9223372036854775808,"d":18446744073709551615}');
    expect(decoded(payload, 'json')).toEqual({ ...data, a: 'aGk=' });
  });

  it.each(['json', 'msgpack'] as const)('round-trips all 64-bit integers in a %s namespace', (kind) => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const payload = msgpackToPayload(packMsgpack({ value }), kind) as Uint8Array;
        expect(BigInt((decoded(payload, kind) as { value: bigint | number }).value)).toBe(value);
      }),
    );
  });

  it("accepts data whose keys are names of JavaScript's own", () => {
    const data = { constructor: 1, toJSON: 2, isLosslessNumber: true, length: 3 };
    for (const kind of ['json', 'msgpack'] as const) {
      expect(decoded(msgpackToPayload(packMsgpack(data), kind) as Uint8Array, kind)).toEqual(data);
    }
  });

  it.each(['json', 'msgpack'] as const)('takes for a %s namespace nothing that members could not be sent', (kind) => {
    const deep = (levels: number) => packMsgpack(JSON.parse(nested(levels)));
    expect(msgpackToPayload(deep(DATA_DEPTH_MAX), kind)).toBeDefined();
    expect(msgpackToPayload(deep(DATA_DEPTH_MAX + 1), kind)).toBeUndefined();
  });
});
