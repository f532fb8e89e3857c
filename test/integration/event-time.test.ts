import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodePair } from '../support/node-pair.ts';

const NAMESPACES = {
  scores: { public: true },
  ticks: { public: true, state: 'keyed' },
  books: { public: true, state: 'document' },
  live: { public: true, durable: false },
};
const EVENT_AT_MS = 1_766_999_999_123;

describe('the time at which something happened', () => {
  let pair: NodePair;
  beforeAll(async () => {
    pair = await NodePair.start({ namespaces: NAMESPACES });
  });
  afterAll(() => pair?.stop());

  const publish = async (subject: string, data: unknown, time?: string, name = 'Stentor-Event-Time') => {
    const all = headers();
    if (time !== undefined) all.set(name, time);
    await jetstream(pair.program).publish(subject, JSON.stringify(data), { headers: all });
  };

  describe.each(['msgpack', 'json'] as const)('in %s', (encoding) => {
    it('comes with each item that has one: live, in the state, recovered, beside the log’s time, and in the history', async () => {
      const topic = `scores.${encoding}`;
      const { client } = await pair.client(pair.two, 'ann', encoding);
      const tracker = client.track(topic);
      const { epoch, offset } = await client.subscribe(topic);
      await publish(`feed.${topic}`, { n: 1 }, `${EVENT_AT_MS}`);
      await publish(`feed.${topic}`, { n: 2 });
      await publish(`feed.${topic}`, { n: 3 }, ` ${EVENT_AT_MS}.9 `, 'stentor-event-time');
      await publish(`feed.${topic}`, { n: 4 }, 'yesterday');
      await publish(`feed.${topic}`, { n: 5 }, '9000000000000000');
      await publish(`feed.${topic}`, { n: 6 }, '0');
      await client.until('all', () => tracker.items.length === 6);
      const times = [EVENT_AT_MS, undefined, EVENT_AT_MS, undefined, undefined, 0];
      const timesOf = (metas: readonly ({ readonly eventAtMs?: number } | undefined)[]) => metas.map((meta) => meta?.eventAtMs);
      expect(timesOf(tracker.items.map(({ meta }) => meta))).toEqual(times);

      const { client: late } = await pair.client(pair.one, 'bob', encoding);
      const state = await late.subscribe(topic, { snapshot: true, timestamps: true });
      expect(timesOf(state.items.map(([, , , meta]) => meta))).toEqual([0]);
      const missed = await late.subscribe(topic, { since: { epoch, offset }, timestamps: true });
      expect(timesOf(missed.items.map(([, , , meta]) => meta))).toEqual(times);
      expect(missed.items.map(([, , , meta]) => meta?.publishedAtMs)).not.toContain(undefined);
      const { items } = await late.get('history', { type: 'history', topic, last: 100 });
      expect(timesOf(items.map(([, , , meta]) => meta))).toEqual(times);
    });

    it('is that of the last change, where a document’s changes come as one', async () => {
      const topic = `books.${encoding}`;
      await publish(`feed.${topic}`, { a: 1 }, `${EVENT_AT_MS}`);
      await publish(`feed.${topic}`, { b: 1 }, `${EVENT_AT_MS + 1}`);
      const { client } = await pair.client(pair.two, 'ann', encoding);
      const { items } = await client.subscribe(topic);
      const whole = items.at(-1);
      expect([whole?.[2], whole?.[3]]).toEqual([{ a: 1, b: 1 }, { eventAtMs: EVENT_AT_MS + 1 }]);
      const tracker = client.track(topic);
      await publish(`feed.${topic}`, { c: 1 }, `${EVENT_AT_MS + 2}`);
      await client.until('the change', () => tracker.items.at(-1)?.meta?.eventAtMs === EVENT_AT_MS + 2);
      expect(tracker.items.at(-1)?.meta).toEqual({ eventAtMs: EVENT_AT_MS + 2, patch: true });
    });

    it('can be said through the HTTP API and by a program that embeds a node, also in an ephemeral topic', async () => {
      const topic = `live.${encoding}`;
      const { client } = await pair.client(pair.two, 'ann', encoding);
      await client.subscribe(topic);
      await pair.one.running.publish({ topic, data: 1, eventAtMs: EVENT_AT_MS + 0.5 });
      expect((await client.next('batch')).items).toEqual([[0, null, 1, { eventAtMs: EVENT_AT_MS }]]);
      expect((await pair.post(pair.one, '/api/publish', { topic, data: 2, eventAtMs: EVENT_AT_MS })).status).toBe(200);
      expect((await client.next('batch')).items).toEqual([[0, null, 2, { eventAtMs: EVENT_AT_MS }]]);
    });
  });

  it('is refused where it is no time', async () => {
    for (const eventAtMs of [-1, 8.64e15 + 2, 'now']) {
      const { status, body } = await pair.post(pair.one, '/api/publish', { topic: 'live.a', data: 1, eventAtMs });
      expect([status, body.error.code]).toEqual([400, 'bad_message']);
      await expect(pair.one.running.publish({ topic: 'live.a', data: 1, eventAtMs: eventAtMs as number })).rejects.toMatchObject({
        code: 'bad_message',
      });
    }
  });

  it('is what the latency from the source is measured from', async () => {
    const topic = 'ticks.metric';
    const { client } = await pair.client(pair.two, 'ann', 'json');
    const tracker = client.track(topic);
    await client.subscribe(topic);
    const count = () => pair.two.metric('stentor_event_to_socket_seconds_count');
    const sum = () => pair.two.metric('stentor_event_to_socket_seconds_sum');
    const [countBefore, sumBefore] = [await count(), await sum()];
    await publish(`feed.${topic}.A`, 1);
    await client.until('one without a time', () => tracker.items.length === 1);
    expect(await count()).toBe(countBefore);
    await publish(`feed.${topic}.A`, 2, `${Date.now() - 60_000}`);
    await client.until('one with a time', () => tracker.items.length === 2);
    expect(await count()).toBe(countBefore + 1);
    expect(await sum()).toBeGreaterThanOrEqual(sumBefore + 59);
  });
});
