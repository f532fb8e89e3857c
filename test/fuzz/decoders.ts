import fc from 'fast-check';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { pick } from '../../src/demo/random.ts';
import { encodeRecord, RecordReader } from '../../src/link/wire.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { CLIENT_MESSAGES } from '../../src/protocol/messages.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';
import { CommandArray, MessageError, parseClientFrame } from '../../src/protocol/parse.ts';
import { arbitraryOf, jsonData, msgpackData } from '../support/arbitrary.ts';
import { linkMessages } from '../support/link-messages.ts';
import { livingBytes } from '../support/living-bytes.ts';
import { mutate, mutateText } from './mutate.ts';
import type { Target } from './target.ts';

const CORPUS = 300;
const COMMANDS_MAX = 1000;

const stays = { parallel: 1, memory: livingBytes, check: () => undefined, stop: async () => undefined };

/** Clients' messages in an encoding: valid ones of every type, alone and in arrays, mutated. */
export function messages(encoding: 'json' | 'msgpack', seed: number): Target {
  const codec = encoding === 'json' ? jsonCodec : msgpackCodec;
  const message = fc.oneof(
    ...Object.values(CLIENT_MESSAGES).map((schema) => arbitraryOf(schema, codec.binary ? msgpackData() : jsonData())),
  );
  const values = fc.sample(fc.oneof(message, fc.array(message, { minLength: 1, maxLength: 5 })), { numRuns: CORPUS, seed });
  const corpus = values.map((value) => Uint8Array.from(codec.encode(value)));
  return {
    ...stays,
    name: encoding,
    input: (random) => mutate(random, pick(random, corpus), pick(random, corpus)),
    give: (input) => {
      try {
        const frame = parseClientFrame(codec, input, COMMANDS_MAX);
        if (frame instanceof CommandArray) for (let i = 0; i < frame.length; i++) frame.at(i);
      } catch (error) {
        if (!(error instanceof MessageError)) throw error;
      }
    },
  };
}

/** Records between hub and worker: valid ones of every kind, mutated, in two chunks. A link that gets a wrong one ends with an Error. */
export function link(seed: number): Target {
  const corpus = fc.sample(linkMessages, { numRuns: CORPUS, seed }).map(encodeRecord);
  return {
    ...stays,
    name: 'link',
    input: (random) => Buffer.concat([mutate(random, pick(random, corpus), pick(random, corpus)), pick(random, corpus)]),
    give: (input) => {
      const reader = new RecordReader();
      const cut = input.length >> 1;
      try {
        for (const chunk of [input.subarray(0, cut), input.subarray(cut)]) reader.push(Buffer.from(chunk));
      } catch (error) {
        if (!(error instanceof Error)) throw error;
      }
    },
  };
}

const STRANGE: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1e308,
  2 ** 53,
  '',
  ' ',
  'x'.repeat(2000),
  '\u0000',
  '__proto__',
  [],
  [[]],
  [null],
  {},
  { constructor: 1 },
];

/** Settings by path, as flags: real paths with values of other types, and mutated paths and values. */
export function config(): Target {
  return {
    ...stays,
    name: 'config',
    input: (random) => {
      const flags = Object.fromEntries(
        Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
          const { path, shape } = pick(random, SETTINGS);
          const [name, other] = [path.replace('<name>', 'chat'), pick(random, SETTINGS).path];
          const value = random() < 0.5 ? pick(random, STRANGE) : mutateText(random, JSON.stringify(shape.default ?? 'x'), 'a.b');
          return [random() < 0.2 ? mutateText(random, name, other) : name, value];
        }),
      );
      return Buffer.from(JSON.stringify(flags));
    },
    give: (input) => {
      try {
        loadConfig({ env: {}, flags: JSON.parse(Buffer.from(input).toString()) as Record<string, unknown> });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
      }
    },
  };
}
