import { describe, expect, it } from 'vitest';
import { beginningFrames } from '../../src/delivery/first-part.ts';
import { goingOn } from '../../src/fanout/recovery.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { EPOCH, feed, source } from '../support/fanout-fixtures.ts';

const FRAME_BYTES_MAX = 4000;

/** How a client that has nothing of a topic with so many items, each of so many bytes, begins. */
function begin(count: number, { bytes = 300, parts = false } = {}) {
  const made = feed();
  for (let n = 1; n <= count; n++) made.push(source(n * 3, { value: 'x'.repeat(bytes) }));
  const { first, rest } = beginningFrames(made, {
    beginning: goingOn(made, { epoch: EPOCH, offset: 0 }, undefined),
    until: made.head,
    message: { type: 'subscribed', id: 1, topic: made.topic, epoch: EPOCH, recovered: true },
    form: { encoding: jsonCodec.encoding, timestamps: false, ...(parts && { parts }) },
    frameBytesMax: FRAME_BYTES_MAX,
  });
  return { message: JSON.parse(Buffer.from(first).toString()) as ServerMessage<'subscribed'>, frameBytes: first.length, rest, made };
}

describe('the first items of a stream', () => {
  it('are sent whole if they fit into a frame', () => {
    const { message, rest } = begin(5);
    expect(message).toMatchObject({ offset: 15 });
    expect(message).not.toHaveProperty('upTo');
    expect(message.items.map(([offset]) => offset)).toEqual([3, 6, 9, 12, 15]);
    expect(rest).toBeUndefined();
  });

  it('are none yet where the first one is larger than a frame: it comes in a frame of its own, or in parts', () => {
    const { message, rest } = begin(1, { bytes: 5000, parts: true });
    expect(message).toMatchObject({ offset: 0, upTo: 3, items: [] });
    expect(rest).toMatchObject({ position: { offset: 0 }, start: { by: 'replay' } });
    expect(begin(2, { bytes: 5000, parts: true }).message).toMatchObject({ offset: 0, upTo: 6, items: [] });
    const whole = begin(1, { bytes: 5000 });
    expect([whole.message.offset, whole.message.upTo, whole.message.items, whole.rest?.position.offset]).toEqual([0, 3, [], 0]);
    expect(begin(1, { parts: true }).message.items).toHaveLength(1);
  });

  it('are otherwise a small part, which counts up to its last item; the rest continues from there', () => {
    const { message, frameBytes, rest, made } = begin(50);
    expect(message).toMatchObject({ recovered: true, upTo: 150 });
    expect(message.offset).toBe(message.items.at(-1)?.[0]);
    expect(message.offset).toBeLessThan(150);
    expect(frameBytes).toBeLessThan(FRAME_BYTES_MAX);
    expect(rest?.position.offset).toBe(message.offset);
    expect(made.ring.at((rest?.position.sequence ?? 0) - 1).offset).toBe(message.offset);
    expect(rest?.start.until).toEqual(made.head);
  });
});
