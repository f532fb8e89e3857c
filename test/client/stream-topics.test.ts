import { describe, expect, it } from 'vitest';
import { type StreamGroup, StreamTopics } from '../../src/client/stream-topics.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';

const TOPIC = 'scores.a';
const STALE = { sinceMs: 1000, reason: 'producer_silent' } as const;
const subscribed = (more: Partial<ServerMessage<'subscribed'>> = {}): ServerMessage<'subscribed'> => ({
  type: 'subscribed',
  id: 1,
  topic: TOPIC,
  epoch: 'e1',
  offset: 5,
  recovered: true,
  items: [],
  ...more,
});

/** A topic whose stream has been replaced by another one, because something else was subscribed too. */
async function reopened(
  first: Partial<ServerMessage<'subscribed'>>,
  further: readonly ServerMessage[] = [],
): Promise<(message: ServerMessage) => ServerMessage[]> {
  const groups: StreamGroup[] = [];
  const topics = new StreamTopics((group) => groups.push(group));
  topics.subscribe({ type: 'subscribe', id: 7, topic: TOPIC });
  await Promise.resolve();
  expect(topics.translate(groups[0] as StreamGroup, subscribed(first))).toEqual([{ ...subscribed(first), id: 7 }]);
  for (const message of further) expect(topics.translate(groups[0] as StreamGroup, message)).toEqual([message]);
  topics.subscribe({ type: 'subscribe', id: 8, topic: 'scores.b' });
  await Promise.resolve();
  expect(groups.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  return (message) => topics.translate(groups[1] as StreamGroup, message);
}

describe('a topic whose stream is replaced', () => {
  it.each([
    ['with nothing missed', {}, []],
    ['with missed items', { offset: 6, items: [[6, null, 'x']] }, ['batch']],
    ['without its log', { epoch: 'e2', offset: 2, recovered: false, items: [[2, null, 'x']] }, ['resync']],
    ['of an ephemeral topic', { epoch: '', offset: 0, recovered: false }, []],
  ] as [string, Partial<ServerMessage<'subscribed'>>, string[]][])('is told whether it is stale now, %s', async (_, answer, further) => {
    const became = await reopened({});
    expect(became(subscribed({ ...answer, stale: STALE }))).toEqual([
      { type: 'status', topic: TOPIC, stale: true, ...STALE },
      ...further.map((type) => expect.objectContaining({ type })),
    ]);
    const ended = await reopened({ stale: STALE });
    expect(ended(subscribed(answer))[0]).toEqual({ type: 'status', topic: TOPIC, stale: false });
  });

  it.each([
    ['the broker came back', {}],
    ['the topic became live', { topic: TOPIC }],
  ])('is told that %s between the two streams', async (_, about) => {
    const became = await reopened({}, [{ type: 'feed', live: false, reason: 'away', ...about }]);
    const answers = became(subscribed());
    expect(answers.filter(({ type }) => type === 'feed')).toEqual([{ type: 'feed', live: true, ...about }]);
    expect(became(subscribed()).filter(({ type }) => type === 'feed')).toEqual([]);
  });

  it('is told nothing of the kind by a stream that says itself that the broker is away', async () => {
    const away: ServerMessage = { type: 'feed', live: false, reason: 'away' };
    const became = await reopened({}, [away]);
    expect(became(away)).toEqual([away]);
    expect(became(subscribed()).filter(({ type }) => type === 'feed')).toEqual([]);
  });
});
