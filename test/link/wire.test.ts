import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ToHub, ToWorker } from '../../src/link/messages.ts';
import { PublicationMessage } from '../../src/link/publication-message.ts';
import { encodeRecord, RECORD_BYTES_MAX, RecordReader } from '../../src/link/wire.ts';
import { toBuffer } from '../../src/protocol/kept-bytes.ts';
import { linkMessages } from '../support/link-messages.ts';

type Message = ToWorker | ToHub;

/** Without what the wire keeps with a publication, and with its data as the link reads it. */
function plain(one: Message): unknown {
  if (!(one instanceof PublicationMessage)) return one;
  const { topicNumber, prev, item, others } = one;
  return { kind: 'publication', topicNumber, prev, item: { ...item, data: toBuffer(item.data) }, others };
}

/** Hands the stream over in chunks of the sizes given, over and over. */
function read(stream: Buffer, sizes: readonly number[]): Message[] {
  const reader = new RecordReader<Message>();
  const messages: Message[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length] as number;
    messages.push(...reader.push(Buffer.from(stream.subarray(at, at + size))));
    at += size;
  }
  return messages;
}

describe("the link's records", () => {
  it('bring every kind of message across whole and in order, however the stream is cut', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 2000 })), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(fc.array(linkMessages, { maxLength: 12 }), sizes, (messages, chunks) => {
        const stream = Buffer.concat(messages.map(encodeRecord));
        expect(read(stream, chunks).map(plain)).toEqual(messages.map(plain));
      }),
      { numRuns: 500 },
    );
  });

  it('encode a publication once, for all workers', () => {
    const one = new PublicationMessage(1, 2, { offset: 3, key: null, data: Buffer.of(0xc0), publishedAtMs: 4 });
    expect(encodeRecord(one)).toBe(encodeRecord(one));
  });

  it('carry an origin of the maximum length that the hub permits', () => {
    const user = '€'.repeat(16_384);
    const one = new PublicationMessage(1, 2, { offset: 3, key: null, data: Buffer.of(0xc0), publishedAtMs: 4, user, connectionId: user });
    expect(read(encodeRecord(one), [1000]).map(plain)).toEqual([plain(one)]);
  });

  it('arrive in many chunks at the cost of one copy', () => {
    const large = encodeRecord({ kind: 'result', requestId: 1, data: Buffer.alloc(60_000_000, 7) });
    const reader = new RecordReader<ToWorker>();
    let messages: ToWorker[] = [];
    // 60,000 chunks: copying the rest with each would be 1.8 TB.
    for (let at = 0; at < large.length; at += 1000) messages = reader.push(large.subarray(at, at + 1000));
    expect(messages).toHaveLength(1);
    expect(messages[0]?.kind === 'result' && messages[0].data.length).toBe(60_000_000);
  });
});

describe('RecordReader', () => {
  const header = (length: number, kind = 2) => {
    const bytes = Buffer.alloc(5);
    bytes.writeUInt32LE(length);
    bytes[4] = kind;
    return bytes;
  };

  it.each([0, RECORD_BYTES_MAX + 1, 0xffff_ffff])('refuses a record of %i bytes at its header, without waiting for it', (length) => {
    expect(() => new RecordReader().push(header(length))).toThrow(`link record of ${length} bytes`);
  });

  it('waits for a record of the maximum size', () => {
    expect(new RecordReader().push(header(RECORD_BYTES_MAX))).toEqual([]);
  });

  it('refuses an unknown kind, and an invalid body', () => {
    expect(() => new RecordReader().push(header(1, 9))).toThrow('unknown link record kind 9');
    expect(() => new RecordReader().push(header(1, 1))).toThrow();
    expect(() => new RecordReader().push(Buffer.concat([header(3, 2), Buffer.of(0xdc, 0xff)]))).toThrow();
  });

  it('returns messages or throws an Error, for any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 }), (chunks) => {
        const reader = new RecordReader();
        try {
          for (const chunk of chunks) reader.push(Buffer.from(chunk));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
