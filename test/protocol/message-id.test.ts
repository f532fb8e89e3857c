import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { findMessageId } from '../../src/protocol/message-id.ts';
import { msgpackCodec, packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { parseClientMessage } from '../../src/protocol/parse.ts';
import { jsonData, msgpackData } from '../support/arbitrary.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** The id that the answer to a refused message would carry. */
function refusedId(codec: typeof jsonCodec, bytes: Uint8Array): number | undefined | string {
  try {
    parseClientMessage(codec, bytes);
    return 'taken';
  } catch (error) {
    return (error as { messageId?: number }).messageId;
  }
}

describe('the id of a message that cannot be decoded', () => {
  const CONTENTS = {
    'an invalid timestamp': 'd4 ff ff',
    'an unknown extension of one byte': 'd4 05 00',
    'an extension of 16 bytes': `d8 05 ${'00'.repeat(16)}`,
    'an extension with a length': 'c7 03 05 010203',
    'an extension with a 32-bit length': 'c9 00000003 05 010203',
    'a map with a number as key': '81 01 02',
    'the never used head': 'c1',
    '65 levels': `${'91'.repeat(65)} c0`,
    '10,000 levels': `${'91'.repeat(10_000)} c0`,
  };

  it.each(Object.entries(CONTENTS))('is found before and behind data that is %s', (_what, content) => {
    const id = 'a2 6964 cd 1234';
    const data = `a4 64617461 ${content}`;
    expect(refusedId(msgpackCodec, hex(`82 ${id} ${data}`))).toBe(0x1234);
    expect(refusedId(msgpackCodec, hex(`82 ${data} ${id}`))).toBe(0x1234);
  });

  it.each([
    ['before', `{"id":7,"data":${'['.repeat(100)}${']'.repeat(100)}}`],
    ['behind', `{"data":${'['.repeat(100)}${']'.repeat(100)}, "id" : 7 }`],
    ['behind a text that looks like one', `{"x":"\\"id\\":1,","data":{"id":2},"id":7,"data":nonsense}`],
    ['before a text that does not end', '{"id":7,"data":"'],
  ])('is found in JSON, %s', (_where, text) => {
    expect(refusedId(jsonCodec, Buffer.from(text))).toBe(7);
  });

  it.each([
    '',
    '{',
    '"id":7',
    '[{"id":7',
    '{"id":"7"',
    '{"id":-7,',
    '{"id":1.5,',
    '{"id":9007199254740993,',
    '{"a":{"id":7}',
    '{"id"',
    '{"id":',
  ])('is none in the JSON %j', (text) => {
    expect(findMessageId('json', Buffer.from(text))).toBeUndefined();
  });

  it.each([
    '',
    'c0',
    '81',
    '81 a2 69',
    '81 a2 6964',
    '81 a2 6964 cd 12',
    '81 a2 6964 ff',
    '81 a2 6964 a1 37',
    '91 a2 6964 07',
    'df ffffffff a1 61 01',
  ])('is none in the MessagePack %s', (bytes) => {
    expect(findMessageId('msgpack', hex(bytes))).toBeUndefined();
  });

  it('is the id that the decoder reads, for any other fields of the message', () => {
    const message = (data: fc.Arbitrary<unknown>) =>
      fc.tuple(fc.maxSafeInteger(), data, data).map(([id, a, b]) => ({ a, id: Math.abs(id), b }));
    fc.assert(
      fc.property(message(msgpackData()), (value) => {
        expect(findMessageId('msgpack', packMsgpack(value))).toBe(value.id);
      }),
    );
    fc.assert(
      fc.property(message(jsonData()), (value) => {
        expect(findMessageId('json', jsonCodec.encode(value))).toBe(value.id);
      }),
    );
  });

  it('is undefined or a valid id for random bytes; the search never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom('json', 'msgpack'), (bytes, encoding) => {
        const id = findMessageId(encoding, bytes);
        expect(id === undefined || (Number.isSafeInteger(id) && id >= 0)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
