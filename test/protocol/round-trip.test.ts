import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { CLIENT_MESSAGES, SERVER_MESSAGES } from '../../src/protocol/messages.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';
import { parseClientMessage } from '../../src/protocol/parse.ts';
import { arbitraryOf, jsonData, msgpackData } from '../support/arbitrary.ts';

const ENCODINGS = [
  { codec: jsonCodec, data: jsonData() },
  { codec: msgpackCodec, data: msgpackData() },
];
const RUNS = { numRuns: 200 };

describe.each(ENCODINGS)('$codec.encoding', ({ codec, data }) => {
  it.each(Object.entries(CLIENT_MESSAGES))('takes what a client says with %s as it was said', (_type, schema) => {
    fc.assert(
      fc.property(arbitraryOf(schema, data), (message) => {
        expect(parseClientMessage(codec, codec.encode(message))).toEqual(message);
      }),
      RUNS,
    );
  });

  it.each(Object.entries(SERVER_MESSAGES))('brings %s to a client whole and true to its schema', (_type, schema) => {
    const validator = Compile(schema);
    fc.assert(
      fc.property(arbitraryOf(schema, data), (message) => {
        const decoded = codec.decode(codec.encode(message));
        expect(decoded).toEqual(message);
        expect(validator.Check(decoded)).toBe(true);
      }),
      RUNS,
    );
  });
});
