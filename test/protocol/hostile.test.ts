import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Codec } from '../../src/protocol/codec.ts';
import { DATA_DEPTH_MAX, MESSAGE_DEPTH_MAX } from '../../src/protocol/depth.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { stringifyJson } from '../../src/protocol/json-writer.ts';
import { CLIENT_MESSAGES } from '../../src/protocol/messages.ts';
import { msgpackCodec, packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { assertMsgpack, scanMsgpack } from '../../src/protocol/msgpack-scan.ts';
import { parseClientMessage } from '../../src/protocol/parse.ts';
import { arbitraryOf, jsonData, msgpackData } from '../support/arbitrary.ts';

const CODECS = [jsonCodec, msgpackCodec];
const RUNS = { numRuns: 1500 };

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** What came of it: a checked message, or the code of the refusal; anything else that is thrown fails the test. */
function outcome(codec: Codec, bytes: Uint8Array): string {
  try {
    return parseClientMessage(codec, bytes).type;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof ProtocolError ? error.code : `${error}`;
  }
}

/** A valid message's bytes with a few places changed, cut or doubled: near to valid is where decoders break. */
function mutated(codec: Codec) {
  const message = fc.oneof(
    ...Object.values(CLIENT_MESSAGES).map((schema) => arbitraryOf(schema, codec.binary ? msgpackData() : jsonData())),
  );
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.constantFrom('set', 'cut', 'insert', 'double') });
  return fc.tuple(message, fc.array(change, { minLength: 1, maxLength: 4 })).map(([value, changes]) => {
    let bytes = [...codec.encode(value)];
    for (const { at, byte, kind } of changes) {
      const place = bytes.length === 0 ? 0 : at % bytes.length;
      if (kind === 'set') bytes[place] = byte;
      else if (kind === 'cut') bytes = bytes.slice(0, place);
      else if (kind === 'insert') bytes.splice(place, 0, byte);
      else bytes = [...bytes, ...bytes.slice(place)];
    }
    return Uint8Array.from(bytes);
  });
}

describe.each(CODECS)('$encoding: any input', (codec) => {
  const documented = ['bad_message', 'unknown_type', ...Object.keys(CLIENT_MESSAGES)];

  it('random bytes are either refused or accepted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(documented).toContain(outcome(codec, bytes));
      }),
      RUNS,
    );
  });

  it('valid messages with changed, removed, inserted or repeated bytes are either refused or accepted', () => {
    fc.assert(
      fc.property(mutated(codec), (bytes) => {
        expect(documented).toContain(outcome(codec, bytes));
      }),
      RUNS,
    );
  });

  it('every message cut short anywhere is refused', () => {
    for (const schema of Object.values(CLIENT_MESSAGES)) {
      const [message] = fc.sample(arbitraryOf(schema, jsonData()), { numRuns: 1, seed: 42 });
      const bytes = codec.encode(message);
      for (let end = 0; end < bytes.length; end++) expect(outcome(codec, bytes.subarray(0, end))).toBe('bad_message');
    }
  });

  it('what is not a map, or a map without a type, is refused', () => {
    for (const value of [null, true, 7, 'ping', [], [{ type: 'ping' }], {}, { type: 1 }, { type: null }, { type: ['ping'] }]) {
      expect(outcome(codec, codec.encode(value))).toBe('bad_message');
    }
  });

  it('an unknown type is detected, also a property name that every object inherits', () => {
    for (const type of ['', 'Ping', 'constructor', '__proto__', 'toString', 'connected', 'x'.repeat(10_000)]) {
      expect(outcome(codec, codec.encode({ type, id: 1 }))).toBe('unknown_type');
    }
  });

  it('the error has the id if it is valid for an answer', () => {
    const idOf = (message: unknown) => {
      try {
        parseClientMessage(codec, codec.encode(message));
        return 'taken';
      } catch (error) {
        return (error as { messageId?: number }).messageId;
      }
    };
    expect(idOf({ type: 'subscribe', id: 5 })).toBe(5);
    expect(idOf({ type: 'nothing', id: 6 })).toBe(6);
    expect(idOf({ id: 7 })).toBe(7);
    for (const id of [-1, 1.5, '7', null, 2 ** 53, {}]) expect(idOf({ type: 'subscribe', id })).toBeUndefined();
  });

  it('keys that name prototypes are data, and change no prototype', () => {
    const hostile = '{"type":"publish","topic":"chat.a","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"data":';
    const text = `${hostile}{"__proto__":{"polluted":3,"toString":4},"constructor":{"prototype":{"polluted":5}},"hasOwnProperty":6}}`;
    const bytes = codec.binary ? packMsgpack(JSON.parse(text)) : Buffer.from(text);
    const message = parseClientMessage(codec, bytes) as { data: object };
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect((message as { polluted?: number }).polluted).toBeUndefined();
    expect((message.data as { polluted?: number }).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(message.data)).toBe(Object.prototype);
    expect(Object.keys(message.data)).toHaveLength(3);
    // What is passed on still has it as an own key, or a harmless one.
    expect(Object.getPrototypeOf(unpackMsgpack(packMsgpack(message.data)))).toBe(Object.prototype);
  });

  it(`nesting is taken to ${MESSAGE_DEPTH_MAX} levels and refused past them`, () => {
    const nested = (levels: number) => {
      let value: unknown = 1;
      for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
      return value;
    };
    // The message itself is one level.
    const publish = (levels: number) => {
      const message = { type: 'publish', topic: 'chat.a', data: nested(levels) };
      return codec.binary ? packMsgpack(message) : Buffer.from(JSON.stringify(message));
    };
    expect(outcome(codec, publish(MESSAGE_DEPTH_MAX - 1))).toBe('publish');
    expect(outcome(codec, publish(MESSAGE_DEPTH_MAX))).toBe('bad_message');
    const batch = { type: 'batch', items: [[1, null, nested(DATA_DEPTH_MAX)]] };
    expect(codec.decode(codec.encode(batch))).toEqual(batch);
  });
});

describe('hostile MessagePack', () => {
  const REFUSED = {
    'an array of 4,294,967,295': 'dd ffffffff',
    'a map of 4,294,967,295': 'df ffffffff',
    'an array of 65,535 with three there': 'dc ffff 01 02 03',
    'a map of 15 with one there': '8f a161 01',
    'a string of 4 GB': 'db ffffffff 61',
    'bytes of 4 GB': 'c6 ffffffff 61',
    'an extension of 4 GB': 'c9 ffffffff ff 61',
    'arrays in arrays that each claim the rest': 'dc 0004 dc 0004 dc 0004 dc 0004',
    'the never used head': 'c1',
    "msgpackr's record definition": 'd4 72 40 91 a161 01',
    "msgpackr's undefined": 'd4 00 00',
    "msgpackr's structured clone reference": 'd6 70 00000001',
    "msgpackr's typed array": 'c7 05 74 00 01020304',
    "msgpackr's Set": 'd4 73 00 91 01',
    "msgpackr's Error": 'd4 65 00 93 c0 a161 c0',
    "msgpackr's big integer": 'c7 09 42 01 0000000000000000',
    "msgpackr's invalid date": 'd4 ff ff',
    'a deflated frame': 'c7 02 5a 0300',
    'a timestamp of 5 bytes': 'c7 05 ff 0000000000',
    'a timestamp that no Date holds': 'c7 0c ff 00000000 7fffffffffffffff',
    'one just past what a Date holds': 'c7 0c ff 00000000 000007dba8218001',
    'a number as a map key': '81 01 01',
    'nil as a map key': '81 c0 01',
    'bytes as a map key': '81 c4 01 61 01',
    'a map as a map key': '81 80 01',
    'an extension as a map key': '81 d6 ff 00000001 01',
    'a map cut before its key': '81',
    'a map cut before its value': '81 a161',
    'two values': '01 01',
    nothing: '',
  };

  it.each(Object.entries(REFUSED))('%s is refused', (_what, bytes) => {
    expect(codeOf(() => msgpackCodec.decode(hex(bytes)))).toBe('bad_message');
  });

  const NO_UTF8 = ['a1 ff', 'a2 c0af', 'a3 eda080', 'a4 f4908080', 'a2 e282', '81 a1 80 01', 'd9 03 eda080', `d9 40 ${'ff'.repeat(64)}`];

  it.each(NO_UTF8)('%s, no UTF-8, is refused where it would be spliced, and has U+FFFD in it where it is decoded', (bytes) => {
    expect(codeOf(() => assertMsgpack(hex(bytes)))).toBe('bad_message');
    const value = msgpackCodec.decode(hex(bytes));
    expect(JSON.stringify(value)).toContain('\uFFFD');
    assertMsgpack(packMsgpack(value));
  });

  it('no decoded text of any length contains half a surrogate pair', () => {
    for (let length = 0; length <= 300; length++) {
      const text = Buffer.concat([Buffer.alloc(length, 'x'), hex('eda080'), Buffer.from('end')]);
      const head = Buffer.from([0xda, 0, 0]);
      head.writeUInt16BE(text.length, 1);
      assertMsgpack(packMsgpack(msgpackCodec.decode(Buffer.concat([head, text]))));
    }
  });

  const TAKEN: [string, string, unknown][] = [
    ['a timestamp of 4 bytes', 'd6 ff 00000001', new Date(1000)],
    ['a timestamp of 8 bytes', 'd7 ff 0000000000000001', new Date(1000)],
    ['a timestamp of 12 bytes', 'c7 0c ff 00000000 fffffffffffffff6', new Date(-10_000)],
    ['the last moment that a Date holds', 'c7 0c ff 00000000 000007dba8218000', new Date(8.64e15)],
    ['a long string form of a short string', 'db 00000001 61', 'a'],
    ['a long map form with a long key', 'df 00000001 d9 01 61 c0', { a: null }],
    ['the last of two equal keys', '82 a161 01 a161 02', { a: 2 }],
    ['a character of four bytes', 'a4 f09f9880', '😀'],
  ];

  it.each(TAKEN)('%s is taken', (_what, bytes, value) => {
    expect(msgpackCodec.decode(hex(bytes))).toEqual(value);
  });

  it('10 million levels are refused without a stack overflow', () => {
    expect(codeOf(() => msgpackCodec.decode(new Uint8Array(10_000_000).fill(0x91)))).toBe('bad_message');
    expect(codeOf(() => jsonCodec.decode(new Uint8Array(10_000_000).fill(0x5b)))).toBe('bad_message');
    expect(codeOf(() => jsonCodec.decode(Buffer.from('{"a":'.repeat(1_000_000))))).toBe('bad_message');
  });

  it('nesting is counted after an escaped surrogate as before it', () => {
    const deep = (levels: number) => `["\\ud800\\"",${'['.repeat(levels - 1)}${']'.repeat(levels)}`;
    expect(codeOf(() => jsonCodec.decode(Buffer.from(deep(MESSAGE_DEPTH_MAX))))).toBeUndefined();
    expect(codeOf(() => jsonCodec.decode(Buffer.from(deep(MESSAGE_DEPTH_MAX + 1))))).toBe('bad_message');
  });

  it('the cost of refusing a length does not grow with the declared length', () => {
    const lies = [
      hex('dd ffffffff'),
      hex('df ffffffff'),
      hex('db ffffffff'),
      hex('c6 ffffffff'),
      hex('9f dd 7fffffff'),
      hex('81 a161 dd ffffffff'),
    ];
    const before = process.memoryUsage();
    for (let i = 0; i < 20_000; i++) codeOf(() => msgpackCodec.decode(lies[i % lies.length] as Uint8Array));
    const after = process.memoryUsage();
    // 20,000 lies of up to 4 GiB each; what they cost is their errors' stack traces, some of them not collected yet.
    expect(after.external + after.arrayBuffers - before.external - before.arrayBuffers).toBeLessThan(10_000_000);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(200_000_000);
  });

  it('what the scan accepts, the decoder accepts, JSON can represent, and the packer encodes to something that it accepts again', () => {
    const head = fc.constantFrom(
      ...[0x80, 0x81, 0x82, 0x90, 0x91, 0x93, 0xa0, 0xa1, 0xa3, 0xc0, 0xc2, 0xc4, 0xc5, 0xc7, 0xca, 0xcb, 0xcc, 0xcf, 0xd1, 0xd3],
      ...[0xd6, 0xd7, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff, 0x00, 0x01, 0x02, 0x04, 0x08, 0x0c, 0x61],
    );
    let passed = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof({ arbitrary: head, weight: 4 }, fc.nat(255)), { maxLength: 40 }), (bytes) => {
        let end: number;
        try {
          end = scanMsgpack(Uint8Array.from(bytes), { utf8: false });
        } catch {
          return;
        }
        passed++;
        const value = unpackMsgpack(Uint8Array.from(bytes.slice(0, end)));
        JSON.parse(stringifyJson(value));
        assertMsgpack(packMsgpack(value));
      }),
      { numRuns: 20_000 },
    );
    expect(passed).toBeGreaterThan(1000);
  });
});

describe('JSON in and out', () => {
  it('a map that looks like a serialised Buffer stays unchanged', () => {
    const data = { type: 'Buffer', data: [1, 2, 3] };
    expect(JSON.parse(stringifyJson({ data }))).toEqual({ data });
    expect(JSON.parse(stringifyJson(data))).toEqual(data);
  });

  it('bytes are base64, in a Buffer or a plain array of bytes, at any depth', () => {
    const bytes = Uint8Array.of(1, 2, 255);
    expect(stringifyJson({ a: bytes, b: [Buffer.from(bytes)], c: { type: Buffer.from('x') } })).toBe(
      '{"a":"AQL/","b":["AQL/"],"c":{"type":"eA=="}}',
    );
    expect(stringifyJson(Buffer.from(bytes))).toBe('"AQL/"');
    const large = new Uint8Array(100_000).fill(7);
    expect(Buffer.from(JSON.parse(stringifyJson(large)), 'base64')).toEqual(Buffer.from(large));
  });

  it('integers that a JSON number cannot represent are strings of digits', () => {
    expect(stringifyJson({ a: 2n ** 64n - 1n, b: -(2n ** 63n) })).toBe('{"a":"18446744073709551615","b":"-9223372036854775808"}');
  });

  it('half a surrogate pair becomes U+FFFD, in values and keys; whole pairs stay', () => {
    const text = String.raw`{"a":"x\ud800y","\uDFFF":["\uDBFF"],"pair":"\ud83d\ude00","quoted":"\\ud800","__proto__":"\udfff"}`;
    const value = jsonCodec.decode(Buffer.from(text)) as Record<string, unknown>;
    expect({ ...value }).toEqual({ a: 'x\uFFFDy', '\uFFFD': ['\uFFFD'], pair: '😀', quoted: String.raw`\ud800`, ['__proto__']: '\uFFFD' });
    assertMsgpack(packMsgpack(value));
  });

  it('any text that JSON can escape ends as UTF-8 in MessagePack', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { maxLength: 50 }), (units) => {
        const text = String.fromCharCode(...units);
        const value = jsonCodec.decode(Buffer.from(JSON.stringify(text)));
        assertMsgpack(packMsgpack(value));
        expect(value).toBe(Buffer.from(text).toString());
      }),
      { numRuns: 1000 },
    );
  });

  it('bytes that are no UTF-8 are refused', () => {
    expect(codeOf(() => jsonCodec.decode(hex('22 ff 22')))).toBe('bad_message');
    expect(codeOf(() => jsonCodec.decode(hex('22 eda080 22')))).toBe('bad_message');
  });
});

describe('integers beyond 2^53', () => {
  it('come from MessagePack as bigints, exactly, and go out as 64-bit integers', () => {
    expect(msgpackCodec.decode(hex('cf 001fffffffffffff'))).toBe(Number.MAX_SAFE_INTEGER);
    expect(msgpackCodec.decode(hex('cf 0020000000000001'))).toBe(2n ** 53n + 1n);
    expect(msgpackCodec.decode(hex('d3 8000000000000000'))).toBe(-(2n ** 63n));
    expect(packMsgpack(2n ** 64n - 1n)).toEqual(Buffer.from(hex('cf ffffffffffffffff')));
  });

  it('are refused where the protocol wants a number', () => {
    for (const field of ['81 a174 cf 0020000000000001', '81 a26964 cf ffffffffffffffff']) {
      const map = hex(field);
      const rest = packMsgpack({ type: field.includes('6964') ? 'presence' : 'ping', topic: 'scores.a' });
      const bytes = Uint8Array.of(0x83, ...map.subarray(1), ...rest.subarray(1));
      expect(outcome(msgpackCodec, bytes)).toBe('bad_message');
    }
  });

  it('are data like any other in a publication', () => {
    const message = { type: 'publish', topic: 'chat.a', data: { n: 2n ** 60n } };
    expect(parseClientMessage(msgpackCodec, packMsgpack(message))).toEqual(message);
  });
});
