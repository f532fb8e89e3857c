import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import type { TestNode } from '../support/node.ts';
import { NodePair } from '../support/node-pair.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  ticks: { public: true, state: 'keyed', slowConsumer: 'conflate', clientPublish: true },
  closed: { state: 'keyed', clientPublish: true },
  live: { public: true, state: 'keyed', durable: false },
  plain: { public: true },
  seen: { public: true, state: 'keyed', presence: 'members' },
};
const ENCODINGS = ['json', 'msgpack'] as const;
/** A key with everything that a name, JSON or a subject would have to escape. */
const ODD = 'B#R"K\\.ü/1';

const batchesOf = (client: TestClient, key?: string) =>
  client.messages.filter((message): message is ServerMessage<'batch'> => message.type === 'batch' && message.key === key);

describe('one key of a topic', () => {
  let pair: NodePair;
  let one: TestNode;
  let two: TestNode;
  let topics = 0;
  const newTopic = (namespace = 'ticks') => `${namespace}.t${topics++}`;

  beforeAll(async () => {
    pair = await NodePair.start({ namespaces: NAMESPACES });
    ({ one, two } = pair);
  });
  afterAll(() => pair?.stop());

  it.each(ENCODINGS)('has a state, a stream without gaps, a history and a recovery of its own, in %s', async (encoding) => {
    const topic = newTopic();
    const key = ODD;
    await one.publish(topic, 1, { key });
    await one.publish(topic, 2, { key: 'other' });
    const { offset: third } = await one.publish(topic, 3, { key });
    const client = await one.connect({ encoding });
    const answer = await client.get('subscribed', { type: 'subscribe', topic, key, snapshot: true });
    expect(answer).toMatchObject({ topic, key, offset: third, recovered: false, items: [[third, key, 3]] });

    const published: number[] = [];
    for (let n = 0; n < 40; n++) {
      const { offset } = await one.publish(topic, { n }, { key: n % 2 === 0 ? key : 'other' });
      if (n % 2 === 0) published.push(offset);
    }
    const offsets = () => batchesOf(client, key).flatMap(({ items }) => items.map(([offset]) => offset));
    await client.until('all of the key', () => offsets().length >= published.length);
    expect(offsets()).toEqual(published);
    let last = third;
    for (const { topic: of, prev, items } of batchesOf(client, key)) {
      expect([of, prev]).toEqual([topic, last]);
      last = items.at(-1)![0];
    }

    const back = await two.connect({ encoding });
    const since = { epoch: answer.epoch, offset: published[9]! };
    const recovered = await back.get('subscribed', { type: 'subscribe', topic, key, since });
    expect(recovered).toMatchObject({ topic, key, recovered: true, offset: last, items: [[last, key, { n: 38 }]] });
    const history = await back.get('history', { type: 'history', topic, key, last: 3 });
    expect(history).toMatchObject({ topic, key });
    expect(history.items.map(([offset]) => offset)).toEqual(published.slice(-3));
    expect(await back.ask({ type: 'unsubscribe', topic, key })).toMatchObject({ type: 'unsubscribed', topic, key });
    expect(await back.ask({ type: 'unsubscribe', topic, key })).toMatchObject({ code: 'not_subscribed' });
  });

  it.each(ENCODINGS)('may be followed beside other keys and the whole topic, each with its own rate, in %s', async (encoding) => {
    const topic = newTopic();
    const client = await two.connect({ encoding });
    await client.get('subscribed', { type: 'subscribe', topic });
    await client.get('subscribed', { type: 'subscribe', topic, key: 'a' });
    expect(await client.get('subscribed', { type: 'subscribe', topic, key: 'b', maxRateHz: 10 })).toMatchObject({ key: 'b', rateHz: 10 });
    for (let n = 0; n < 30; n++) for (const key of ['a', 'b', 'c']) await one.publish(topic, n, { key });
    const valuesOf = (key?: string) => batchesOf(client, key).flatMap(({ items }) => items.map(([, of, value]) => [of, value]));
    await client.until('all', () => valuesOf().length === 90 && valuesOf('a').length === 30 && valuesOf('b').at(-1)?.[1] === 29);
    expect(valuesOf('a')).toEqual(Array.from({ length: 30 }, (_, n) => ['a', n]));
    expect(valuesOf('b').every(([key]) => key === 'b')).toBe(true);
    expect(valuesOf('b').length).toBeLessThanOrEqual(30);
    await client.get('unsubscribed', { type: 'unsubscribe', topic });
    const { offset } = await one.publish(topic, 'last', { key: 'a' });
    await client.until('the last of a', () => batchesOf(client, 'a').at(-1)?.items.at(-1)?.[0] === offset);
    expect(valuesOf()).toHaveLength(90);
  });

  it.each(ENCODINGS)('exists in ephemeral topics too, in %s', async (encoding) => {
    const topic = newTopic('live');
    const client = await two.connect({ encoding });
    await client.get('subscribed', { type: 'subscribe', topic, key: 'a' });
    for (const key of ['b', 'a', 'b', 'a']) await one.publish(topic, key, { key });
    await client.until('two', () => batchesOf(client, 'a').flatMap(({ items }) => items).length === 2);
    expect(client.messages.flatMap((message) => (message.type === 'batch' ? message.items.map(([, key]) => key) : []))).toEqual(['a', 'a']);
  });

  it('is what a permission may name, for subscribing, reading and publishing', async () => {
    const permitted = ['closed.*#AAPL'];
    const token = await tokenOf({ sub: 'ann', subscribe: permitted, publish: permitted });
    const client = await one.connect({ encoding: 'json', token });
    const topic = newTopic('closed');
    const forbidden = { type: 'error', code: 'forbidden' };
    expect(await client.ask({ type: 'subscribe', topic, key: 'AAPL' })).toMatchObject({ type: 'subscribed', key: 'AAPL' });
    expect(await client.ask({ type: 'subscribe', topic, key: 'MSFT' })).toMatchObject(forbidden);
    expect(await client.ask({ type: 'subscribe', topic })).toMatchObject(forbidden);
    expect(await client.ask({ type: 'history', topic, key: 'AAPL', last: 1 })).toMatchObject({ type: 'history', key: 'AAPL' });
    expect(await client.ask({ type: 'history', topic, last: 1 })).toMatchObject(forbidden);
    expect(await client.ask({ type: 'publish', topic, key: 'AAPL', data: 1 })).toMatchObject({ type: 'published' });
    expect(await client.ask({ type: 'publish', topic, key: 'MSFT', data: 1 })).toMatchObject(forbidden);
    // A refreshed token ends what it does not permit.
    const less = await tokenOf({ sub: 'ann', subscribe: ['closed.*#MSFT'] });
    await client.get('refreshed', { type: 'refresh', token: less });
    expect(await client.next('error')).toMatchObject({ code: 'forbidden', topic, key: 'AAPL' });
  });

  it('is refused where there are no keys, and has no presence', async () => {
    const client = await one.connect({ encoding: 'json' });
    expect(await client.ask({ type: 'subscribe', topic: 'plain.a', key: 'a' })).toMatchObject({ code: 'key_not_allowed' });
    expect(await client.ask({ type: 'history', topic: 'plain.a', key: 'a' })).toMatchObject({ code: 'key_not_allowed' });
    expect(await client.ask({ type: 'subscribe', topic: 'ticks.a', key: 'a\n' })).toMatchObject({ code: 'bad_key' });
    expect(await client.ask({ type: 'subscribe', topic: 'seen.a', key: 'a', presence: true })).toMatchObject({ code: 'unsupported' });
    expect(await client.ask({ type: 'subscribe', topic: 'seen.a', key: 'a' })).toMatchObject({ type: 'subscribed' });
    expect(await client.ask({ type: 'presence', topic: 'seen.a' })).toMatchObject({ count: 0 });
  });

  it('is a topic of the SDK, which may have several keys of a topic', async () => {
    const topic = newTopic();
    const sdk = createClient({ url: one.url });
    const got: unknown[] = [];
    const of = (key: string) => sdk.topic(topic, { key, snapshot: true });
    of('a').subscribe(({ topic: name, key, data }) => got.push([name, key, data]));
    of('b').subscribe(({ key, data }) => got.push([key, data]));
    await sdk.connect();
    const observer = await one.connect({ encoding: 'json' });
    const settled = async (count: number) => {
      while (got.length < count) await observer.settle();
    };
    await one.publish(topic, 1, { key: 'a' });
    // Two keys are two subscriptions, and have no order between them.
    await settled(1);
    await one.publish(topic, 1, { key: 'b' });
    await one.publish(topic, 1, { key: 'c' });
    await settled(2);
    expect(got).toEqual([
      [topic, 'a', 1],
      ['b', 1],
    ]);
    expect((await of('a').history({ last: 5 })).items.map(({ data }) => data)).toEqual([1]);
    await sdk.close();
  });
});
