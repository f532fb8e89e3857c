import { afterEach, describe, expect, it } from 'vitest';
import { type FakeClient, TestWorker } from '../support/test-worker.ts';
import { until } from '../support/until.ts';

let worker: TestWorker;
afterEach(() => worker.stop());

const SMALL_RING = { 'tuning.recent.itemsPerTopicMax': 16, 'tuning.fanout.lagThresholdBytes': 4096 };
const BIG = 'x'.repeat(1000);
/** The last part of a loop turn, several times. */
const turns = async (count: number) => {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
};

async function subscribe(client: FakeClient, id: number, topic: string): Promise<void> {
  client.say({ type: 'subscribe', id, topic });
  if (worker.delivery.topics.get(topic as never) === undefined) await worker.open(topic);
  await client.answerTo(id);
}

const offsetsOf = (client: FakeClient, topic: string) =>
  client.ofType('batch').flatMap((batch) => (batch.topic === topic ? batch.items.map(([offset]) => offset) : []));
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('what the hub says', () => {
  it('of a topic that is too fast waits for its members, and reaches them whole and in order', async () => {
    worker = await TestWorker.create(SMALL_RING);
    const client = worker.client();
    await subscribe(client, 1, 'scores.fast');
    worker.hears(...range(1, 100).map((offset) => worker.publication('scores.fast', offset, BIG)));
    // The ring has sixteen.
    expect(offsetsOf(client, 'scores.fast').length).toBeLessThan(17);
    await until('everything', () => offsetsOf(client, 'scores.fast').length === 100);
    expect(offsetsOf(client, 'scores.fast')).toEqual(range(1, 100));
    expect(client.ofType('lagged')).toEqual([]);
  });

  it('of other topics, and what it answers, does not wait for a topic that is too fast', async () => {
    worker = await TestWorker.create(SMALL_RING);
    const client = worker.client();
    await subscribe(client, 1, 'scores.fast');
    await subscribe(client, 2, 'scores.slow');
    client.say({ type: 'subscribe', id: 3, topic: 'scores.new' });
    await worker.asked('open');
    worker.hears(
      ...range(1, 100).map((offset) => worker.publication('scores.fast', offset, BIG)),
      { kind: 'openFailed', topic: 'scores.new' as never, code: 'busy', message: 'later' },
      worker.publication('scores.slow', 1),
    );
    await turns(2);
    expect(client.errors).toEqual(['busy']);
    expect(offsetsOf(client, 'scores.slow')).toEqual([1]);
    expect(offsetsOf(client, 'scores.fast').length).toBeLessThan(100);
  });

  it('that a log has restarted discards the waiting publications of the old log', async () => {
    worker = await TestWorker.create(SMALL_RING);
    const client = worker.client();
    await subscribe(client, 1, 'scores.fast');
    const { topicNumber } = worker.publication('scores.fast', 1);
    worker.hears(
      ...range(1, 100).map((offset) => worker.publication('scores.fast', offset, BIG)),
      {
        kind: 'resync',
        topic: 'scores.fast' as never,
        topicNumber,
        reason: 'put back',
        epoch: 'e2',
        offset: 7,
        completeFrom: 7,
        items: [],
      },
      worker.publication('scores.fast', 8),
    );
    await turns(20);
    expect(client.ofType('resync')).toMatchObject([{ epoch: 'e2', offset: 7 }]);
    const [resyncAt] = client.sent.flatMap(({ type }, index) => (type === 'resync' ? [index] : []));
    const after = client.sent
      .slice(resyncAt)
      .flatMap((message) => (message.type === 'batch' ? [[message.epoch, message.items.length]] : []));
    expect(after).toEqual([['e2', 1]]);
  });
});

describe('connections of two transports', () => {
  it('get the same, one of them natively and the other one by one', async () => {
    worker = await TestWorker.create();
    const natives = Array.from({ length: 20 }, () => worker.client());
    const others = Array.from({ length: 20 }, () => worker.client({ isNative: false }));
    for (const client of [...natives, ...others]) await subscribe(client, 1, 'scores.a');
    worker.hears(worker.publication('scores.a', 1));
    await turns(5);
    expect(worker.published).toHaveLength(1);
    const shard = worker.published[0]?.shard as string;
    for (const { socket } of natives) expect([...socket.listensTo]).toEqual([shard]);
    for (const client of natives) expect(offsetsOf(client, 'scores.a')).toEqual([]);
    for (const { socket } of others) expect(socket.steps).toEqual([]);
    for (const client of others) expect(offsetsOf(client, 'scores.a')).toEqual([1]);
  });
});
