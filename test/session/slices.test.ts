import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Topic } from '../../src/protocol/topic.ts';
import { type FakeClient, TestWorker } from '../support/test-worker.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

let worker: TestWorker;
afterEach(() => {
  vi.restoreAllMocks();
  worker.stop();
});

const start = async () => {
  worker = await TestWorker.create({ namespaces: { open: { public: true } } });
};

/** Each look at the clock takes a millisecond: a turn has time for a few commands, or topics. */
const slowly = () => {
  let nowMs = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs++);
};
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const unsubscribe = (id: number) => ({ type: 'unsubscribe', id, topic: 'open.a' });
const idsOf = (client: FakeClient) => client.sent.map((message) => ('id' in message ? message.id : undefined));

describe('an array that takes several loop turns', () => {
  const subscribes = (count: number) => Array.from({ length: count }, (_, id) => ({ type: 'subscribe', id, topic: `open.t${id}` }));
  it('is carried out in order, before what came after it, and answered in one message', async () => {
    await start();
    slowly();
    const client = worker.client();
    client.say(Array.from({ length: 100 }, (_, id) => unsubscribe(id)));
    client.say(unsubscribe(100));
    expect(client.sent).toEqual([]);
    await client.answerTo(100);
    expect(idsOf(client)).toEqual(Array.from({ length: 101 }, (_, id) => id));
    expect(client.socket.writes).toEqual([1]);
    expect(worker.connections.bytes).toEqual({ inFlight: 0, unread: 0 });
  });

  it('lets the loop turn in between: who comes then is not held up by all of it', async () => {
    await start();
    slowly();
    const client = worker.client();
    client.say(subscribes(100));
    const begun = client.connection.receiver.subscriptions.size;
    expect(begun).toBeGreaterThan(0);
    expect(begun).toBeLessThan(10);
    await turn();
    expect(client.connection.receiver.subscriptions.size).toBeLessThan(2 * 10);
    await until('all of them', () => client.connection.receiver.subscriptions.size === 100);
  });

  it('goes on in order after a token has been verified, and what came meanwhile after it', async () => {
    await start();
    slowly();
    const client = worker.client();
    const commands = Array.from({ length: 50 }, (_, id) => unsubscribe(id + 2));
    client.say([{ type: 'connect', id: 1, token: await tokenOf() }, ...commands]);
    client.say([unsubscribe(52), unsubscribe(53)]);
    client.say(unsubscribe(54));
    await client.answerTo(54);
    expect(idsOf(client)).toEqual(Array.from({ length: 54 }, (_, at) => at + 1));
    expect(client.connection.commandsInFlight).toBe(0);
    expect(worker.connections.bytes).toEqual({ inFlight: 0, unread: 0 });
  });

  it('leaves nothing behind when its connection closes in the middle, and asks for no further topic', async () => {
    await start();
    slowly();
    const client = worker.client();
    client.say(subscribes(200));
    client.say(subscribes(200));
    for (let n = 0; n < 5; n++) await turn();
    client.socket.close(1006);
    for (let n = 0; n < 5; n++) await turn();
    const asked = worker.toHub.filter(({ kind }) => kind === 'open').length;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(100);
    while (worker.toHub.some(({ kind }) => kind === 'open')) {
      const { topic } = await worker.asked('open');
      worker.hears({ kind: 'opened', topic, topicNumber: 1 + Number(topic.slice(6)), epoch: 'e', offset: 0, completeFrom: 0, items: [] });
    }
    await until('all to be given up', () => worker.toHub.filter(({ kind }) => kind === 'close').length === asked);
    await until('nothing to be counted', () => worker.connections.bytes.inFlight === 0);
    expect([worker.delivery.topics.size, worker.connections.bytes.unread]).toEqual([0, 0]);
    expect(worker.toHub.filter(({ kind }) => kind === 'open')).toEqual([]);
  });

  it('leaves nothing behind when its connection closes while a token is verified', async () => {
    await start();
    slowly();
    const client = worker.client();
    client.say([{ type: 'connect', id: 1, token: await tokenOf() }, ...subscribes(20)]);
    client.say(unsubscribe(30));
    expect(worker.connections.bytes.inFlight).toBeGreaterThan(0);
    client.socket.close(1006);
    await until('nothing to be counted', () => worker.connections.bytes.inFlight === 0);
    for (let n = 0; n < 5; n++) await turn();
    expect([client.connection.commandsInFlight, worker.toHub, worker.connections.bytes]).toEqual([0, [], { inFlight: 0, unread: 0 }]);
  });
});

describe('connections with many topics that close', () => {
  const TOPICS = 100;
  const topics = Array.from({ length: TOPICS }, (_, id) => `open.t${id}`);

  async function withTopics(): Promise<FakeClient> {
    const client = worker.client({ isNative: false });
    client.say(topics.map((topic, id) => ({ type: 'subscribe', id, topic })));
    for (const topic of topics) if (worker.delivery.topics.get(topic as Topic) === undefined) await worker.open(topic);
    await client.answerTo(TOPICS - 1);
    return client;
  }

  it('leave them in several loop turns, until nothing of them is left', async () => {
    await start();
    const client = await withTopics();
    slowly();
    client.socket.close(1006);
    expect(worker.delivery.topics.size).toBeGreaterThan(0);
    expect(worker.delivery.topics.size).toBeLessThan(TOPICS);
    await until('all to be left', () => worker.delivery.topics.size === 0);
    expect(client.connection.receiver.subscriptions.size).toBe(0);
    await until('the hub to be told', () => worker.toHub.filter(({ kind }) => kind === 'close').length === TOPICS);
  });

  it('are sent nothing meanwhile, and others who follow the same topics get everything once', async () => {
    await start();
    const staying = await withTopics();
    const leaving = await Promise.all(Array.from({ length: 40 }, withTopics));
    slowly();
    for (const { socket } of leaving) socket.close(1006);
    const sentBefore = leaving.map(({ socket }) => socket.frames.length);
    const published = new Map(topics.map((topic) => [topic, 0]));
    const publishAll = () => {
      for (const topic of topics) {
        const offset = (published.get(topic) as number) + 1;
        published.set(topic, offset);
        worker.hears(worker.publication(topic, offset));
      }
    };
    const members = () => [...worker.delivery.topics.feeds()].reduce((sum, feed) => sum + feed.members, 0);
    while (members() > TOPICS) {
      publishAll();
      worker.delivery.everySecond(Date.now());
      await turn();
    }
    publishAll();
    const got = () => {
      const offsets = new Map<string, number[]>(topics.map((topic) => [topic, []]));
      for (const { topic, items } of staying.ofType('batch')) offsets.get(topic)?.push(...items.map(([offset]) => offset));
      return offsets;
    };
    await until('the last of each', () => topics.every((topic) => got().get(topic)?.at(-1) === published.get(topic)));
    for (const [topic, offsets] of got()) expect([topic, offsets]).toEqual([topic, offsets.map((_, at) => at + 1)]);
    expect(leaving.map(({ socket }) => socket.frames.length)).toEqual(sentBefore);
    expect(published.get('open.t0')).toBeGreaterThan(2);
  });
});
