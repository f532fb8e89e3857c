import { unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { DIALECTS } from '../../loadtest/swarm/dialects.ts';

/** Of masked client frames whose mask is zero, with an extended length. */
function payloadOf(frame: Buffer): Buffer {
  const short = frame[1]! & 0x7f;
  return frame.subarray(2 + (short < 126 ? 0 : 2) + 4);
}

describe("Stentor's dialects", () => {
  const positions = new Map([
    ['a.b', { topic: 'a.b', epoch: 'e1', offset: 17 }],
    ['a.c', { topic: 'a.c', epoch: 'e1', offset: 18 }],
  ]);

  it.each(['stentor', 'stentor-json'] as const)(
    '%s subscribes to many topics in one message for each epoch, each with its position where it has one',
    (name) => {
      const [first, second, ...more] = DIALECTS[name].hello({ topic: 'a.', positions }, ['a.a', 'a.b', 'a.c']);
      expect(more).toEqual([]);
      const read = (frame: Buffer) => (name === 'stentor' ? unpack(payloadOf(frame)) : JSON.parse(payloadOf(frame).toString()));
      expect(read(first!)).toEqual({ type: 'subscribeMany', topics: [[1, 'a.a']] });
      const { topics, ...many } = read(second!);
      expect(many).toEqual({ type: 'subscribeMany', epoch: 'e1' });
      expect(topics).toEqual([
        [2, 'a.b', 17],
        [3, 'a.c', 18],
      ]);
    },
  );

  it('subscribe to one topic with a plain command', () => {
    const [frame, ...more] = DIALECTS['stentor-json'].hello({ topic: 'a.', positions }, ['a.b']);
    expect(more).toEqual([]);
    const since = { epoch: 'e1', offset: 17 };
    expect(JSON.parse(payloadOf(frame!).toString())).toEqual({ type: 'subscribe', id: 1, topic: 'a.b', since });
  });

  it('ask for parts where they take them', () => {
    const [frame] = DIALECTS['stentor-parts'].hello({ topic: 'a.' }, ['a.b']);
    expect(unpack(payloadOf(frame!))).toEqual({ type: 'subscribe', id: 1, topic: 'a.b', parts: true });
  });

  it('send no more topics in a message than the server accepts, and no more bytes', () => {
    const topicsIn = (names: string[]) =>
      DIALECTS['stentor-json'].hello({ topic: '' }, names).map((frame) => {
        const payload = payloadOf(frame);
        expect(payload.length).toBeLessThanOrEqual(65_536);
        return (JSON.parse(payload.toString()) as { topics: unknown[] }).topics.length;
      });
    expect(topicsIn(new Array(2500).fill('a.b'))).toEqual([1000, 1000, 500]);
    const long = topicsIn(new Array(1000).fill('x'.repeat(200)));
    expect(long.length).toBe(4);
    expect(long.reduce((sum, topics) => sum + topics)).toBe(1000);
  });

  it('read the position out of the answer', () => {
    const answer = Buffer.from('{"type":"subscribed","id":1,"topic":"a.b","epoch":"e1","offset":17,"recovered":true,"items":[]}');
    const reaction = DIALECTS['stentor-json'].control(answer, { topic: 'a.' });
    const ready = { kind: 'ready', topics: 1, at: { topic: 'a.b', epoch: 'e1', offset: 17 } };
    expect(reaction).toEqual([ready]);
    expect(DIALECTS['stentor-json'].control(Buffer.from(`[${answer},{"type":"pong"}]`), { topic: 'a.' })).toEqual([
      ready,
      { kind: 'none' },
    ]);
  });
});
