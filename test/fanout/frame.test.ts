import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { buildFrames } from '../../src/fanout/batch.ts';
import { DEFLATE_MIN_BYTES, deflateFrame } from '../../src/fanout/deflate.ts';
import { coveredPlace } from '../../src/fanout/echo.ts';
import { batchHeadBytes, type EncodedItem, encodeBatch, encodeWithItems } from '../../src/fanout/frame.ts';
import { FanoutItem, type ItemSource } from '../../src/fanout/item.ts';
import { MsgpackWriter } from '../../src/fanout/msgpack-writer.ts';
import type { Codec } from '../../src/protocol/codec.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { toBuffer } from '../../src/protocol/kept-bytes.ts';
import { SERVER_MESSAGES } from '../../src/protocol/messages.ts';
import { msgpackCodec, packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { assertMsgpack } from '../../src/protocol/msgpack-scan.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { jsonData } from '../support/arbitrary.ts';
import { item } from '../support/fanout-fixtures.ts';
import { decodeBatch } from '../support/fanout-model.ts';
import { anyKey } from '../support/keys.ts';
import { someTags } from '../support/link-messages.ts';

const CODECS: Codec[] = [msgpackCodec, jsonCodec];
const batchSchema = Compile(SERVER_MESSAGES.batch);

const offset = fc.oneof(
  fc.nat(300),
  fc.integer({ min: 0xfff0, max: 0x1_0010 }),
  fc.integer({ min: 0xffff_fff0, max: 0x1_0000_0010 }),
  fc.maxSafeNat(),
);
const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const sourceArbitrary = fc.record(
  {
    offset,
    key: fc.option(anyKey),
    value: jsonData(),
    publishedAtMs: fc.maxSafeNat(),
    eventAtMs: fc.maxSafeNat(),
    user: fc.string({ unit: 'binary', maxLength: 300 }),
    removed: fc.constant(true as const),
    tags: someTags,
  },
  { requiredKeys: ['offset', 'key', 'value', 'publishedAtMs'] },
);

function expected({ offset: at, key, value, tags, eventAtMs, user, removed }: Partial<ItemSource> & { value: unknown }): unknown[] {
  const marks = { ...(tags !== undefined && { tags }) };
  const meta = {
    ...marks,
    ...(eventAtMs !== undefined && { eventAtMs }),
    ...(user !== undefined && { origin: user }),
    ...(removed && { removed }),
  };
  return Object.keys(meta).length === 0 ? [at, key, value] : [at, key, value, meta];
}

describe.each(CODECS)('a batch in $encoding', ({ encoding, decode, binary }) => {
  it('decodes to the same values, and matches its schema', () => {
    const head = fc.record({
      topic: fc.array(token, { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join('.')),
      epoch: fc.base64String({ maxLength: 64 }),
      prev: offset,
      sentAtMs: fc.double({ min: 0, max: 1e14, noNaN: true }),
      conflated: offset,
    });
    fc.assert(
      fc.property(head, fc.array(sourceArbitrary, { maxLength: 20 }), (said, sources) => {
        const items = sources.map(({ value, ...rest }) => new FanoutItem({ ...rest, data: packMsgpack(value) }));
        const frame = encodeBatch(encoding, said, items);
        const { conflated, ...rest } = said;
        const batch = decode(frame);
        expect(batch).toEqual({ type: 'batch', ...rest, ...(conflated > 0 && { conflated }), items: sources.map(expected) });
        expect(batchSchema.Check(batch)).toBe(true);
        // The bound that frames are cut by holds.
        const itemBytes = items.reduce((sum, one) => sum + one.encoded(encoding).length + 1, 0);
        expect(frame.length).toBeLessThanOrEqual(batchHeadBytes(said) + itemBytes);
      }),
      { numRuns: 300 },
    );
  });

  it('is cut into frames that cover the range without a gap, each within its size or alone in it', () => {
    const sizes = fc.array(fc.oneof(fc.nat(60), fc.integer({ min: 900, max: 1500 })), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(sizes, fc.nat(5), (pads, conflated) => {
        const items = pads.map((pad, index) => item(index + 10, { value: 'x'.repeat(pad) }));
        const topic = { topic: parseTopic('scores.a'), epoch: 'e1' };
        const frames = buildFrames(topic, { encoding, deflate: false, timestamps: false }, { items, prev: 7, conflated }, 1, 1024);
        let prev = 7;
        const seen: number[] = [];
        for (const [index, { bytes: frame, ...covers }] of frames.entries()) {
          const batch = decodeBatch(frame, binary);
          expect(batch.prev).toBe(prev);
          expect(batch.conflated ?? 0).toBe(index === 0 ? conflated : 0);
          if (batch.items.length > 1) expect(frame.length).toBeLessThanOrEqual(1024);
          for (const [at] of batch.items) seen.push(at);
          expect(covers).toEqual({ prev, offset: seen.at(-1) });
          prev = seen.at(-1) as number;
        }
        expect(seen).toEqual(items.map((one) => one.offset));
        // Not more frames than it takes: two neighbours do not fit one.
        for (let i = 1; i < frames.length; i++) expect(frames[i - 1]!.bytes.length + frames[i]!.bytes.length).toBeGreaterThan(1024 - 100);
      }),
    );
  });

  it('has no frames where there are no items', () => {
    expect(
      buildFrames(
        { topic: parseTopic('a'), epoch: '' },
        { encoding, deflate: false, timestamps: false },
        { items: [], prev: 0, conflated: 3 },
        1,
        1024,
      ),
    ).toEqual([]);
  });

  it('has fields of any kind before its items', () => {
    const fields = {
      type: 'subscribed',
      none: null,
      less: -1,
      half: 1.5,
      zero: 0,
      far: 2 ** 40,
      map: { x: 1 },
      list: ['a'],
      yes: true,
      text: 'é'.repeat(40),
    };
    expect(decode(encodeWithItems({ encoding, timestamps: false }, fields, []))).toEqual({ ...fields, items: [] });
  });

  it('is one of several messages that end in items', () => {
    const message = { type: 'subscribed', id: 1, topic: 'scores.a', epoch: 'e', offset: 2 ** 40, recovered: true, rateHz: undefined };
    const { rateHz: _, ...said } = message;
    expect(decode(encodeWithItems({ encoding, timestamps: false }, message, [item(1), item(2)]))).toEqual({
      ...said,
      items: [
        [1, null, 'value 1'],
        [2, null, 'value 2'],
      ],
    });
    expect(decode(encodeWithItems({ encoding, timestamps: false }, message, []))).toEqual({ ...said, items: [] });
  });
});

describe('FanoutItem', () => {
  it('is encoded once for all members, in each encoding', () => {
    const one = item(1);
    expect(one.encoded('msgpack')).toBe(one.encoded('msgpack'));
    expect(one.encoded('json')).toBe(one.encoded('json'));
  });

  it('inserts the data byte for byte, and keeps no part of the input buffer', () => {
    // A float that a general encoder would write as an integer, and a long form of a short string.
    const data = Buffer.from('92cb3ff0000000000000d90161', 'hex');
    const read = Buffer.concat([Buffer.alloc(1_000_000), data]);
    const one = new FanoutItem({ offset: 1, key: null, data: read.subarray(1_000_000), publishedAtMs: 0 });
    const encoded = toBuffer(one.encoded('msgpack'));
    expect(encoded.toString('hex')).toBe(`9301c0${data.toString('hex')}`);
    expect(encoded.buffer.byteLength).toBeLessThan(100_000);
  });

  it('has the same size before and after its JSON is created', () => {
    const one = item(1, { value: { a: [1, 2, 3] } });
    const before = one.bytes;
    one.encoded('json');
    expect(one.bytes).toBe(before);
    expect(before).toBeGreaterThan(one.encoded('msgpack').length);
  });

  it('writes as text what JSON cannot represent', () => {
    const one = item(1, { value: { bytes: Buffer.from('hi'), large: 2n ** 60n, at: new Date(0), nothing: Number.NaN } });
    expect(JSON.parse(toBuffer(one.encoded('json')).toString())).toEqual([
      1,
      null,
      { bytes: 'aGk=', large: '1152921504606846976', at: '1970-01-01T00:00:00.000Z', nothing: null },
    ]);
  });
});

describe('an item with its time', () => {
  it.each(CODECS)('has it in its meta, beside what was there, in whole milliseconds: $encoding', ({ encoding }) => {
    const decodeItem = (each: EncodedItem): unknown[] => {
      const bytes = toBuffer(each.encoded(encoding));
      return (encoding === 'json' ? JSON.parse(bytes.toString()) : unpackMsgpack(bytes)) as unknown[];
    };
    fc.assert(
      fc.property(sourceArbitrary, fc.nat(999), ({ value, ...rest }, fraction) => {
        const publishedAtMs = Math.min(rest.publishedAtMs, 2 ** 42) + fraction / 1000;
        const one = new FanoutItem({ ...rest, publishedAtMs, data: packMsgpack(value) });
        const plain = decodeItem(one);
        const timed = one.timed();
        const meta = { ...(plain[3] as object | undefined), publishedAtMs: Math.floor(publishedAtMs) };
        expect(decodeItem(timed)).toEqual([...plain.slice(0, 3), meta]);
        expect(timed.offset).toBe(one.offset);
        // The others' item is what it was.
        expect(decodeItem(one)).toEqual(plain);
      }),
      { numRuns: 200 },
    );
  });

  it('is a covered place where there is no publication', () => {
    const place = coveredPlace(7);
    expect(place.timed()).toBe(place);
  });

  it('is counted with its time where a range is cut into frames', () => {
    const items = Array.from({ length: 40 }, (_, index) => item(index + 1, { value: 'x'.repeat(20) }));
    const form = { encoding: 'msgpack', deflate: false, timestamps: true } as const;
    const frames = buildFrames({ topic: parseTopic('scores.a'), epoch: 'e' }, form, { items, prev: 0, conflated: 0 }, 1, 1024);
    expect(frames.length).toBeGreaterThan(1);
    for (const { bytes } of frames) expect(bytes.length).toBeLessThanOrEqual(1024);
    const metas = frames.flatMap(({ bytes }) => decodeBatch(bytes, true).items).map(([, , , meta]) => meta);
    expect(metas).toEqual(items.map(({ publishedAtMs }) => ({ publishedAtMs })));
  });
});

describe('deflateFrame', () => {
  it('is one ext of type 90 that inflates to the frame', () => {
    const frame = encodeBatch('msgpack', { topic: 'a', epoch: 'e', prev: 0, sentAtMs: 1, conflated: 0 }, [
      item(1, { value: 'x'.repeat(5000) }),
    ]);
    const deflated = Buffer.from(deflateFrame(frame));
    expect(deflated.length).toBeLessThan(200);
    expect(deflated[0]).toBe(0xc9);
    expect(deflated.readUInt32BE(1)).toBe(deflated.length - 6);
    expect(deflated[5]).toBe(90);
    expect(inflateRawSync(deflated.subarray(6))).toEqual(Buffer.from(frame));
  });

  it('does not deflate small frames, nor those that do not shrink', () => {
    const small = new Uint8Array(DEFLATE_MIN_BYTES - 1);
    expect(deflateFrame(small)).toBe(small);
    const noise = Uint8Array.from({ length: 2000 }, (_, i) => (Math.imul(i + 1, 2_654_435_761) ^ (i * i * 7919)) >>> 13);
    expect(deflateFrame(noise)).toBe(noise);
    expect(deflateFrame(new Uint8Array(DEFLATE_MIN_BYTES)).length).toBeLessThan(DEFLATE_MIN_BYTES);
  });
});

describe('MsgpackWriter', () => {
  it('writes every form that its headers, integers and texts can take', () => {
    const writer = new MsgpackWriter(16);
    for (const value of [0, 127, 128, 255, 256, 65_535, 65_536, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER]) {
      writer.reset();
      writer.uint(value);
      expect(msgpackCodec.decode(writer.copy())).toBe(value);
    }
    for (const length of [0, 31, 32, 255, 256, 65_535, 65_536, 100_000]) {
      const text = 'é'.repeat(length / 2) + 'x'.repeat(length % 2);
      writer.reset();
      writer.text(text);
      expect(msgpackCodec.decode(writer.copy())).toBe(text);
    }
    for (let length = 0; length <= 40; length++) {
      for (const text of ['x'.repeat(length), `${'x'.repeat(length)}é`, `é${'x'.repeat(length)}`]) {
        writer.reset();
        writer.text('before');
        writer.text(text);
        expect(Buffer.from(writer.copy())).toEqual(Buffer.concat([packMsgpack('before'), packMsgpack(text)]));
      }
    }
    for (const length of [0, 15, 16, 65_535, 65_536]) {
      writer.reset();
      writer.arrayHeader(length);
      for (let i = 0; i < length; i++) writer.nil();
      assertMsgpack(writer.copy());
      writer.reset();
      writer.mapHeader(length);
      for (let i = 0; i < length; i++) {
        writer.text('k');
        writer.bool(true);
      }
      assertMsgpack(writer.copy());
    }
  });

  it('writes half a surrogate pair as U+FFFD, so that its text is always UTF-8', () => {
    const writer = new MsgpackWriter(16);
    writer.text('a\ud800');
    expect(msgpackCodec.decode(writer.copy())).toBe('a\uFFFD');
  });

  it('is right again after something large, in its own memory', () => {
    const writer = new MsgpackWriter(16);
    const large = packMsgpack('x'.repeat(5_000_000));
    writer.raw(large);
    const copy = writer.copy();
    writer.reset();
    writer.text('small');
    expect(copy.length).toBe(large.length);
    expect(msgpackCodec.decode(writer.copy())).toBe('small');
  });
});
