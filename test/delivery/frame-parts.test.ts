import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameParts } from '../../src/delivery/frame-parts.ts';
import { parseFeedName } from '../../src/protocol/feed-name.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';
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
        const parts = new FrameParts(TOPIC, {
          encoding: codec.encoding,
          frame: codec.encode(batch as unknown as ServerMessage),
          frameBytesMax,
        });
        const joiner = new PartJoiner();
        let whole: ServerMessage | undefined;
        let count = 0;
        for (; !parts.isDone; count++) {
          expect(whole).toBeUndefined();
          const part = parts.next();
          expect(codec.encode(part).length).toBeLessThanOrEqual(frameBytesMax);
          expect(part).toMatchObject({ topic: 'ticks.fx', key: 'EUR"\\ü', part: count + 1 });
          whole = joiner.add(part);
        }
        expect(whole).toEqual(batch);
      }),
    );
  });
});
