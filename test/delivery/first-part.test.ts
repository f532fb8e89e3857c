import { describe, expect, it } from 'vitest';
import { beginningFrames } from '../../src/delivery/first-part.ts';
import { goingOn } from '../../src/fanout/recovery.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { EPOCH, feed, source } from '../support/fanout-fixtures.ts';

const FRAME_BYTES_MAX = 4000;

/** How a client that has nothing of a topic with so many items, each of 300 bytes, begins. */
function begin(count: number) {
  const made = feed();
  for (let n = 1; n <= count; n++) made.push(source(n * 3, { value: 'x'.repeat(300) }));
  const { first, rest } = beginningFrames(made, {
    beginning: goingOn(made, { epoch: EPOCH, offset: 0 }, undefined),
    until: made.head,
    message: { type: 'subscribed', id: 1, topic: made.topic, epoch: EPOCH, recovered: true },
    form: { encoding: jsonCodec.encoding, timestamps: false },
    frameBytesMax: FRAME_BYTES_MAX,
  });
  return { message: JSON.parse(Buffer.from(first).toString()) as ServerMessage<'subscribed'>, bytes: first.length, rest, made };
}

describe('the first items of a stream', () => {
  it('are sent whole if they fit into a frame', () => {
    const { message, rest } = begin(5);
    expect(message).toMatchObject({ offset: 15 });
    expect(message).not.toHaveProperty('upTo');
    expect(message.items.map(([offset]) => offset)).toEqual([3, 6, 9, 12, 15]);
    expect(rest).toBeUndefined();
  });

  it('are otherwise a small part, which counts up to its last item; the rest continues from there', () => {
    const { message, bytes, rest, made } = begin(50);
    expect(message).toMatchObject({ recovered: true, upTo: 150 });
    expect(message.offset).toBe(message.items.at(-1)?.[0]);
    expect(message.offset).toBeLessThan(150);
    expect(bytes).toBeLessThan(FRAME_BYTES_MAX);
    expect(rest?.position.offset).toBe(message.offset);
    expect(made.ring.at((rest?.position.sequence ?? 0) - 1).offset).toBe(message.offset);
    expect(rest?.start.until).toEqual(made.head);
  });
});
