import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LinkItem } from '../../src/link/publication-message.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { key, source } from '../support/fanout-fixtures.ts';
import { type FakeClient, TestWorker } from '../support/test-worker.ts';
import { until } from '../support/until.ts';

const SLOW_TIMEOUT_MS = 2000;
const KEYS = 300;
const TOPIC = 'ticks.a' as Topic;
/** Waits for the socket; it has room for nothing else. */
const FULL_BYTES = 100_000;

let worker: TestWorker;
afterEach(() => {
  vi.useRealTimers();
  worker.stop();
});

/** Begins with a large state, and its socket is full after each frame. */
async function begin(): Promise<FakeClient> {
  vi.useFakeTimers({ toFake: ['Date'] });
  const namespaces = { ticks: { public: true, state: 'keyed', slowConsumer: 'conflate' } };
  worker = await TestWorker.create({ namespaces, 'limits.slowTimeoutMs': SLOW_TIMEOUT_MS });
  const client = worker.client();
  const { socket } = client;
  const send = socket.send.bind(socket);
  socket.send = (...frame) => {
    socket.bufferedBytes = FULL_BYTES;
    return send(...frame);
  };
  client.say({ type: 'subscribe', id: 1, topic: TOPIC, snapshot: true });
  await worker.asked('open');
  const items = Array.from({ length: KEYS }, (_, n) => source(n + 1, { key: key(`k${n}`), value: 'x'.repeat(1000) }) as LinkItem);
  worker.hears({ kind: 'opened', topic: TOPIC, topicNumber: 1, epoch: 'e', offset: KEYS, completeFrom: 0, items });
  await client.answerTo(1);
  return client;
}

function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
  worker.connections.everySecond(Date.now());
  worker.delivery.everySecond(Date.now());
}

describe('a connection that gets a large state', () => {
  it('is not closed while it accepts part after part, however long all of it takes', async () => {
    const client = await begin();
    const last = () => client.ofType('batch').at(-1)?.items.at(-1)?.[0] ?? 0;
    let parts = 0;
    for (; last() < KEYS; parts++) {
      pass(SLOW_TIMEOUT_MS - 1);
      expect(client.socket.isOpen).toBe(true);
      const before = client.socket.frames.length;
      client.socket.bufferedBytes = 0;
      worker.connections.drained(client.connection);
      await until('the next part', () => client.socket.frames.length > before);
      // The event of a real socket comes in another loop turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(parts).toBeGreaterThan(5);
  });

  it('is closed when it has accepted nothing for limits.slowTimeoutMs', async () => {
    const client = await begin();
    pass(SLOW_TIMEOUT_MS);
    expect(client.socket.isOpen).toBe(true);
    pass(1);
    expect(client.socket.endedWith).toBe(4103);
  });
});

describe('a connection that asks for many topics in one message', () => {
  it('begins them in turn as its socket takes them, and is not closed for all that waits', async () => {
    worker = await TestWorker.create({ namespaces: { ticks: { public: true } } });
    const topics = Array.from({ length: 300 }, (_, n): [number, string] => [n + 1, `ticks.t${n}`]);
    const holder = worker.client();
    holder.say({ type: 'subscribeMany', topics });
    for (const [topicNumber] of topics) {
      const { topic } = await worker.asked('open');
      const items = [source(1, { value: 'x'.repeat(9000) }) as LinkItem];
      worker.hears({ kind: 'opened', topic, topicNumber, epoch: 'e', offset: 1, completeFrom: 0, items });
    }
    await until('the topics to be open', () => holder.ofType('subscribed').length === topics.length);

    const client = worker.client();
    const { socket } = client;
    socket.bufferedBytes = FULL_BYTES;
    const send = socket.send.bind(socket);
    socket.send = (frame, ...how) => {
      socket.bufferedBytes += frame.length;
      return send(frame, ...how);
    };
    client.say({ type: 'subscribeMany', topics, snapshot: true });
    while (socket.isOpen && client.ofType('subscribed').length < topics.length) {
      const before = socket.frames.length;
      socket.bufferedBytes = 0;
      worker.connections.drained(client.connection);
      await until('more topics', () => socket.frames.length > before || !socket.isOpen);
    }
    expect(socket.endedBecause).toBeUndefined();
    expect(client.ofType('subscribed').every(({ items }) => items.length === 1)).toBe(true);
    expect(worker.bugs).toEqual([]);
  });
});
