import { unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { DIALECTS, inMessages } from '../../loadtest/swarm/dialects.ts';

/** Of masked client frames whose mask is zero, with an extended length. */
function payloadOf(frame: Buffer): Buffer {
  const short = frame[1]! & 0x7f;
  return frame.subarray(2 + (short < 126 ? 0 : 2) + 4);
}

describe('commands in messages', () => {
  const joined = (commands: readonly Buffer[]) => Buffer.from(`[${commands.join(',')}]`);

  it('are at most 1,000, and no message is larger than the server accepts', () => {
    const small = new Array(2500).fill(Buffer.from('{}'));
    expect(inMessages(small, joined).map((message) => JSON.parse(message.toString()).length)).toEqual([1000, 1000, 500]);
    const large = new Array(500).fill(Buffer.from(JSON.stringify('x'.repeat(200))));
    const messages = inMessages(large, joined);
    expect(messages.length).toBe(2);
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(65_536);
    expect(messages.flatMap((message) => JSON.parse(message.toString()))).toHaveLength(500);
  });

  it('are no array where there is one', () => {
    expect(inMessages([Buffer.from('{}')], joined).map(String)).toEqual(['{}']);
  });
});

describe("Stentor's dialects", () => {
  const positions = new Map([['a.b', { topic: 'a.b', epoch: 'e1', offset: 17 }]]);

  it.each(['stentor', 'stentor-json'] as const)(
    '%s subscribes to many topics in one message, each with its position where it has one',
    (name) => {
      const [frame, ...more] = DIALECTS[name].hello({ topic: 'a.', positions }, ['a.a', 'a.b']);
      expect(more).toEqual([]);
      const payload = payloadOf(frame!);
      expect(name === 'stentor' ? unpack(payload) : JSON.parse(payload.toString())).toEqual([
        { type: 'subscribe', id: 1, topic: 'a.a' },
        { type: 'subscribe', id: 2, topic: 'a.b', since: { epoch: 'e1', offset: 17 } },
      ]);
    },
  );

  it('read the position out of the answer', () => {
    const answer = Buffer.from('{"type":"subscribed","id":1,"topic":"a.b","epoch":"e1","offset":17,"recovered":true,"items":[]}');
    const reaction = DIALECTS['stentor-json'].control(answer, { topic: 'a.' });
    expect(reaction).toEqual({ kind: 'ready', topics: 1, at: { topic: 'a.b', epoch: 'e1', offset: 17 } });
  });
});
