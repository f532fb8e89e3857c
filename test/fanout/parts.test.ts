import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFrames } from '../../src/fanout/batch.ts';
import { inParts } from '../../src/fanout/parts.ts';
import { parseFeedName } from '../../src/protocol/feed-name.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';
import { item } from '../support/fanout-fixtures.ts';
import { PartJoiner } from '../support/part-joiner.ts';

const TOPIC = parseFeedName('ticks.fx', 'EUR"\\ü');

/** Texts with everything that must not be cut or counted wrongly. */
const texts = fc
  .array(fc.constantFrom('a', '"', '\\', 'ü', '€', '😀', '\n', '\u0001', '{"x":"y"}'), { maxLength: 300 })
  .map((all) => all.join(''));

describe('a frame in parts', () => {
  it.each([jsonCodec, msgpackCodec])('is the frame again when they are joined, and none is larger than a frame: $encoding', (codec) => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 300, max: 900 }), (text, frameBytesMax) => {
        const batch = { type: 'batch', topic: 'ticks.fx', epoch: 'e', prev: 1, sentAtMs: 1, items: [[2, null, { text }]] } as const;
        const parts = inParts(TOPIC, codec.encoding, codec.encode(batch), frameBytesMax);
        const joiner = new PartJoiner();
        let whole: ServerMessage | undefined;
        for (const [index, bytes] of parts.entries()) {
          expect(whole).toBeUndefined();
          expect(bytes.length).toBeLessThanOrEqual(frameBytesMax);
          const part = codec.decode(bytes) as ServerMessage<'part'>;
          expect(part).toMatchObject({ topic: 'ticks.fx', key: 'EUR"\\ü', part: index + 1, parts: parts.length });
          whole = joiner.add(part);
        }
        expect(whole).toEqual(batch);
      }),
    );
  });

  it.each([jsonCodec, msgpackCodec])(
    'stands among the frames of its range in its place, which is passed with the last part: $encoding',
    (codec) => {
      const sizes = fc.array(fc.oneof(fc.nat(60), fc.integer({ min: 900, max: 5000 })), { minLength: 1, maxLength: 20 });
      fc.assert(
        fc.property(sizes, (pads) => {
          const range = { items: pads.map((pad, index) => item(index + 10, { value: 'x"'.repeat(pad / 2) })), prev: 7, conflated: 2 };
          const topic = { topic: TOPIC, epoch: 'e' };
          const form = { encoding: codec.encoding, deflate: false, timestamps: false };
          const whole = buildFrames(topic, form, range, 1, 1024);
          const joiner = new PartJoiner();
          const joined: unknown[] = [];
          const covered: object[] = [];
          let isWithin = false;
          for (const { bytes, ...covers } of buildFrames(topic, { ...form, parts: true }, range, 1, 1024)) {
            expect(bytes.length).toBeLessThanOrEqual(1024);
            const message = codec.decode(bytes) as ServerMessage;
            const batch = message.type === 'part' ? joiner.add(message) : message;
            // Only a whole batch comes between two others.
            if (message.type === 'part') expect(message.part > 1).toBe(isWithin);
            else expect(isWithin).toBe(false);
            isWithin = batch === undefined;
            if (isWithin) expect(covers).toEqual({ prev: covers.prev, offset: covers.prev });
            else {
              joined.push(batch);
              covered.push(covers);
            }
          }
          expect(isWithin).toBe(false);
          expect(joined).toEqual(whole.map(({ bytes }) => codec.decode(bytes)));
          expect(covered).toEqual(whole.map(({ prev, offset }) => ({ prev, offset })));
        }),
      );
    },
  );
});
