import { describe, expect, it } from 'vitest';
import { SharedFrames } from '../../src/delivery/shared-frames.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { feed, source } from '../support/fanout-fixtures.ts';

const JSON_FORM = { encoding: jsonCodec.encoding, deflate: false, timestamps: false };
const NOW_MS = 1_700_000_000_000;
const FRAME_BYTES_MAX = 1000;

function feedOf(count: number, bytes = 300) {
  const made = feed();
  for (let n = 1; n <= count; n++) made.push(source(n, { value: 'x'.repeat(bytes) }));
  return made;
}

describe('SharedFrames', () => {
  it('gives the same frames to those that need the same at about the same time, and to nobody else', () => {
    const made = feedOf(10);
    const frames = new SharedFrames({ frameBytesMax: FRAME_BYTES_MAX, bytesMax: 100_000 });
    const range = () => ({ items: made.ring.slice(0, 5), prev: 0, conflated: 0 });
    const first = frames.of(made, JSON_FORM, range(), NOW_MS);
    expect(first.length).toBeGreaterThan(1);
    expect(frames.of(made, { ...JSON_FORM }, range(), NOW_MS + 250)).toBe(first);
    for (const other of [
      frames.of(made, JSON_FORM, { ...range(), prev: 1 }, NOW_MS + 250),
      frames.of(made, JSON_FORM, { ...range(), conflated: 1 }, NOW_MS + 250),
      frames.of(made, JSON_FORM, { ...range(), items: made.ring.slice(0, 4) }, NOW_MS + 250),
      frames.of(made, { ...JSON_FORM, timestamps: true }, range(), NOW_MS + 250),
      frames.of(made, { ...JSON_FORM, parts: true }, range(), NOW_MS + 250),
      frames.of(made, { ...JSON_FORM, encoding: 'msgpack' }, range(), NOW_MS + 250),
      frames.of(feedOf(10), JSON_FORM, range(), NOW_MS + 250),
    ])
      expect(other).not.toBe(first);
    // They say when they were made.
    expect(frames.of(made, JSON_FORM, range(), NOW_MS + 251)).not.toBe(first);
    expect(JSON.parse(Buffer.from(first[0]?.bytes ?? []).toString())).toMatchObject({ prev: 0, sentAtMs: NOW_MS });
  });

  it('keeps so many bytes, and forgets them when nobody asks any more', () => {
    const made = feedOf(10);
    const frames = new SharedFrames({ frameBytesMax: FRAME_BYTES_MAX, bytesMax: 2000 });
    const one = (n: number) => frames.of(made, JSON_FORM, { items: made.ring.slice(n, n + 1), prev: n, conflated: 0 }, NOW_MS);
    const first = one(0);
    for (let n = 0; n < 10; n++) {
      one(n);
      expect(frames.bytes).toBeLessThanOrEqual(2000);
    }
    expect(frames.ranges).toBeGreaterThan(1);
    expect(one(0)).not.toBe(first);
    // Larger than all that may be kept.
    const all = { items: made.ring.slice(0, 10), prev: 0, conflated: 0 };
    expect(frames.of(made, JSON_FORM, all, NOW_MS)).not.toBe(frames.of(made, JSON_FORM, all, NOW_MS));
    frames.forgetOld(NOW_MS + 1000);
    expect([frames.bytes, frames.ranges]).toEqual([0, 0]);
  });

  it('keeps so many ranges', () => {
    const made = feedOf(200, 1);
    const frames = new SharedFrames({ frameBytesMax: FRAME_BYTES_MAX, bytesMax: 1_000_000 });
    for (let n = 0; n < 200; n++) frames.of(made, JSON_FORM, { items: made.ring.slice(n, n + 1), prev: n, conflated: 0 }, NOW_MS);
    expect(frames.ranges).toBe(64);
  });
});
