import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import type { Item, ServerMessage } from '../../src/protocol/messages.ts';
import { TestNode } from '../support/node.ts';
import { NodePair } from '../support/node-pair.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  scores: { public: true, wildcards: true, clientPublish: true },
  short: { public: true, wildcards: true, history: { maxCount: 3 } },
  ticks: { public: true, wildcards: true, state: 'keyed', topicTokens: 2, slowConsumer: 'conflate' },
  live: { public: true, wildcards: true, durable: false },
  closed: { wildcards: true },
  few: { public: true, wildcards: true, patternsMax: 2 },
  plain: { public: true },
};
const ENCODINGS = ['json', 'msgpack'] as const;

const batchesOf = (client: TestClient, topic: string) =>
  client.messages.filter((message): message is ServerMessage<'batch'> => message.type === 'batch' && message.topic === topic);
const itemsOf = (client: TestClient, topic: string): Item[] => batchesOf(client, topic).flatMap(({ items }) => items);
const metaOf = (item: Item) => item[3] as { topic?: string; publishedAtMs?: number; origin?: string } | undefined;
const topicsOf = (items: readonly Item[]) => items.map((item) => metaOf(item)?.topic);
const offsetsOf = (items: readonly Item[]) => items.map(([offset]) => offset);

describe('patterns that are too many', () => {
  const start = async () => {
    const node = await TestNode.start({
      namespaces: NAMESPACES,
      'limits.patternsPerConnectionMax': 3,
      'tuning.hub.topicLingerMs': 600_000,
    });
    onTestFinished(() => node.stop());
    const newcomer = async () => {
      const client = await node.connect();
      client.send({ type: 'connect', id: 0 });
      return client;
    };
    return { node, newcomer };
  };

  it('of one connection are refused, beside any number of topics; others open theirs', async () => {
    const { newcomer } = await start();
    const client = await newcomer();
    for (const topic of ['scores.a', 'scores.b', 'scores.c.*', 'live.c.*', 'scores.>']) await client.subscribe(topic);
    expect(await client.ask({ type: 'subscribe', topic: 'scores.d.*' })).toMatchObject({
      code: 'too_many_topics',
      retryable: false,
      message: 'at most 3 patterns per connection',
    });
    // One that it has may be changed.
    await client.subscribe('scores.>', { maxRateHz: 1 });
    await client.subscribe('scores.e');
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'scores.c.*' });
    await client.subscribe('scores.d.*');
    await (await newcomer()).subscribe('scores.f.*');
  });

  it('are not those whose subscribers have left, although they stay open for a while', async () => {
    const { node, newcomer } = await start();
    const attacker = await newcomer();
    for (let round = 0; round < 5; round++) {
      for (const topic of [`few.a${round}.*`, `few.b${round}.*`]) await attacker.subscribe(topic);
      for (const topic of [`few.a${round}.*`, `few.b${round}.*`]) await attacker.get('unsubscribed', { type: 'unsubscribe', topic });
    }
    expect(await node.metric('stentor_topics')).toBe(2);
    const client = await newcomer();
    await client.subscribe('few.c.*');
    await node.publish('few.c.x', 'arrives');
    expect((await client.next('batch')).items.at(-1)?.[2]).toBe('arrives');
  });
});

describe('a pattern of topics', () => {
  let pair: NodePair;
  let one: TestNode;
  let two: TestNode;
  let parts = 0;
  /** A part of a namespace that no other test uses. */
  const newPart = (namespace = 'scores') => `${namespace}.p${parts++}`;

  beforeAll(async () => {
    pair = await NodePair.start({
      namespaces: NAMESPACES,
      'limits.patternsPerConnectionMax': 50,
      'limits.patternsPerNodeMax': 40,
      'limits.sharePercentMax': 100,
      'tuning.hub.topicLingerMs': 0,
    });
    ({ one, two } = pair);
  });
  afterAll(() => pair?.stop());

  it.each(ENCODINGS)('gets what is published to every topic that it matches, in one order without gaps, in %s', async (encoding) => {
    const part = newPart();
    const pattern = `${part}.*`;
    await one.publish(`${part}.a`, 'before a');
    const { offset: before } = await one.publish(`${part}.b`, 'before b');
    const client = await one.connect({ encoding });
    const answer = await client.get('subscribed', { type: 'subscribe', topic: pattern, snapshot: true });
    expect(answer).toMatchObject({ topic: pattern, offset: before, recovered: false });
    expect(answer.items.map(([, , data]) => data)).toEqual(['before a', 'before b']);
    expect(topicsOf(answer.items)).toEqual([`${part}.a`, `${part}.b`]);

    const published: [number, string][] = [];
    for (let n = 0; n < 60; n++) {
      const topic = `${part}.${'abc'[n % 3]}`;
      published.push([(await one.publish(topic, n)).offset, topic]);
      await one.publish(`${part}.a.deeper`, n);
      await one.publish(part, n);
    }
    await client.until('all', () => itemsOf(client, pattern).length === published.length);
    const items = itemsOf(client, pattern);
    expect(items.map((item) => [item[0], metaOf(item)?.topic])).toEqual(published);
    let last = before;
    for (const { prev, items: of } of batchesOf(client, pattern)) {
      expect(prev).toBe(last);
      last = of.at(-1)![0];
    }

    // From any node, by position.
    const back = await two.connect({ encoding });
    for (const at of [0, 29, 59]) {
      const since = { epoch: answer.epoch, offset: published[at]![0] };
      const recovered = await back.subscribe(pattern, { since });
      expect([recovered.recovered, offsetsOf(recovered.items)]).toEqual([true, published.slice(at + 1).map(([offset]) => offset)]);
      expect(topicsOf(recovered.items)).toEqual(published.slice(at + 1).map(([, topic]) => topic));
    }
    const history = await back.get('history', {
      type: 'history',
      topic: pattern,
      since: { epoch: answer.epoch, offset: before },
      limit: 10,
    });
    expect(history).toMatchObject({ topic: pattern, complete: true, more: true });
    expect(offsetsOf(history.items)).toEqual(published.slice(0, 10).map(([offset]) => offset));
    expect(topicsOf((await back.get('history', { type: 'history', topic: pattern, last: 2 })).items)).toEqual([`${part}.b`, `${part}.c`]);
  });

  it('is refused recovery where something may have been removed, and is told so', async () => {
    const part = newPart('short');
    const { offset: first } = await one.publish(`${part}.a`, 0);
    const client = await two.connect({ encoding: 'json' });
    // The node follows the log all the time, so it knows that it is the same.
    await client.get('subscribed', { type: 'subscribe', topic: 'short.other' });
    const { epoch } = await client.get('subscribed', { type: 'subscribe', topic: `${part}.>` });
    await client.get('unsubscribed', { type: 'unsubscribe', topic: `${part}.>` });
    const kept: number[] = [];
    for (let n = 0; n < 5; n++) kept.push((await one.publish(`${part}.a`, n)).offset);
    const { offset: other } = await one.publish(`${part}.b`, 'b');
    const refused = await client.subscribe(`${part}.>`, { since: { epoch, offset: first } });
    expect([refused.recovered, offsetsOf(refused.items)]).toEqual([false, [kept[4], other]]);
    await client.get('unsubscribed', { type: 'unsubscribe', topic: `${part}.>` });
    const recovered = await client.subscribe(`${part}.>`, { since: { epoch, offset: kept[3]! } });
    expect([recovered.recovered, offsetsOf(recovered.items)]).toEqual([true, [kept[4], other]]);
  });

  it.each(ENCODINGS)(
    'has the latest of each topic and key in snapshots, rate classes and recovery of a keyed namespace, in %s',
    async (encoding) => {
      const client = await one.connect({ encoding });
      const pattern = 'ticks.>';
      const topics = [`ticks.x${parts++}`, `ticks.y${parts++}`];
      for (const topic of topics) for (const key of ['k', 'l']) await one.publish(topic, 0, { key });
      const answer = await client.subscribe(pattern, { snapshot: true });
      const mine = (items: readonly Item[]) => items.filter((item) => topics.includes(metaOf(item)?.topic ?? ''));
      const slots = (items: readonly Item[]) => mine(items).map((item) => `${metaOf(item)?.topic} ${item[1]} ${item[2]}`);
      const expected = (value: number) => topics.flatMap((topic) => ['k', 'l'].map((key) => `${topic} ${key} ${value}`));
      // The node may have got the last of them after it answered: then they are in its stream.
      const begun = () => [...answer.items, ...itemsOf(client, pattern)];
      await client.until('the state', () => mine(begun()).length === 4);
      expect(slots(begun())).toEqual(expected(0));
      const sent = mine(itemsOf(client, pattern)).length;

      const slow = await two.connect({ encoding });
      expect(await slow.subscribe(pattern, { maxRateHz: 5 })).toMatchObject({ rateHz: 5 });
      for (let n = 1; n <= 20; n++) for (const topic of topics) for (const key of ['k', 'l']) await one.publish(topic, n, { key });
      await client.until('all', () => mine(itemsOf(client, pattern)).length === sent + 80);
      const latest = () => new Map(mine(itemsOf(slow, pattern)).map((item) => [`${metaOf(item)?.topic} ${item[1]}`, item[2]]));
      await slow.until('the latest', () => latest().size === 4 && [...latest().values()].every((value) => value === 20));

      const back = await two.connect({ encoding });
      const recovered = await back.subscribe(pattern, { since: { epoch: answer.epoch, offset: answer.offset } });
      expect(recovered.recovered).toBe(true);
      // The worker may have had all that was missed.
      const state = new Map(mine(recovered.items).map((item) => [`${metaOf(item)?.topic} ${item[1]}`, item[2]]));
      expect([state.size, ...state.values()]).toEqual([4, 20, 20, 20, 20]);
    },
  );

  it.each(ENCODINGS)('exists in ephemeral namespaces, beside others and the topics themselves, in %s', async (encoding) => {
    const part = newPart('live');
    const client = await two.connect({ encoding });
    const names = [`${part}.*`, `${part}.>`, `${part}.a`, 'live.*.a'];
    for (const topic of names) await client.get('subscribed', { type: 'subscribe', topic });
    await one.publish(`${part}.a`, 1);
    await one.publish(`${part}.a.b`, 2);
    await one.publish(`${part}.c`, 3);
    const values = (topic: string) => itemsOf(client, topic).map(([, , data]) => data);
    await client.until(
      'all',
      () => values(`${part}.>`).length === 3 && values(`${part}.*`).length === 2 && values('live.*.a').length === 1,
    );
    expect(names.map(values)).toEqual([[1, 3], [1, 2, 3], [1], [1]]);
    expect(topicsOf(itemsOf(client, `${part}.>`))).toEqual([`${part}.a`, `${part}.a.b`, `${part}.c`]);
    expect(topicsOf(itemsOf(client, `${part}.a`))).toEqual([undefined]);
  });

  it.each(ENCODINGS)('leaves out what a member published itself, and has times, where it asks for that, in %s', async (encoding) => {
    const part = newPart();
    const token = await tokenOf({ sub: 'ann' });
    const client = await one.connect({ encoding, token });
    await client.get('subscribed', { type: 'subscribe', topic: `${part}.*`, echo: false, timestamps: true });
    await client.get('published', { type: 'publish', topic: `${part}.a`, data: 'mine' });
    const { offset } = await two.publish(`${part}.b`, 'theirs');
    await client.until('theirs', () => itemsOf(client, `${part}.*`).at(-1)?.[0] === offset);
    const items = itemsOf(client, `${part}.*`).filter((item) => item.length > 1);
    expect(items).toEqual([[offset, null, 'theirs', { topic: `${part}.b`, publishedAtMs: expect.any(Number) }]]);
  });

  it('needs one pattern of the token that covers all of it', async () => {
    const token = await tokenOf({ sub: 'ann', subscribe: ['closed.a.*', 'closed.b.>', 'closed.*.x', 'user.>'] });
    const client = await one.connect({ encoding: 'json', token });
    const outcome = async (topic: string) => {
      const answer = await client.ask({ type: 'subscribe', topic });
      return answer.type === 'error' ? answer.code : answer.type;
    };
    expect(await Promise.all(['closed.a.*', 'closed.b.*', 'closed.b.*.*', 'closed.b.>', 'closed.a.x', 'closed.*.x'].map(outcome))).toEqual(
      Array.from({ length: 6 }, () => 'subscribed'),
    );
    expect(await Promise.all(['closed.>', 'closed.*', 'closed.*.*', 'closed.a.>', 'closed.*.y'].map(outcome))).toEqual(
      Array.from({ length: 5 }, () => 'forbidden'),
    );
  });

  it('is refused in other namespaces, in that of users, and where it can match nothing', async () => {
    const client = await one.connect({ encoding: 'json', token: await tokenOf() });
    const code = async (topic: string, more: object = {}) => (await client.ask({ type: 'subscribe', topic, ...more })) as { code?: string };
    expect(await code('plain.*')).toMatchObject({ code: 'unsupported' });
    expect(await code('user.*')).toMatchObject({ code: 'unknown_namespace' });
    expect(await code('*.a')).toMatchObject({ code: 'bad_topic' });
    expect(await code('>')).toMatchObject({ code: 'bad_topic' });
    expect(await code('scores.>.a')).toMatchObject({ code: 'bad_topic' });
    expect(await code('ticks.*.*')).toMatchObject({ code: 'bad_topic' });
    expect(await code('ticks.a.>')).toMatchObject({ code: 'bad_topic' });
    expect(await code('scores.*', { key: 'a' })).toMatchObject({ code: 'key_not_allowed' });
    expect(await code('scores.*', { presence: true })).toMatchObject({ code: 'unsupported' });
    expect(await client.ask({ type: 'publish', topic: 'scores.*', data: 1 })).toMatchObject({ code: 'bad_topic' });
  });

  it('is refused by the bounds of its namespace and of the node, until others are closed', async () => {
    const client = await two.connect({ encoding: 'json' });
    const ask = (topic: string) => client.ask({ type: 'subscribe', topic });
    expect(await ask('few.a.*')).toMatchObject({ type: 'subscribed' });
    expect(await ask('few.b.*')).toMatchObject({ type: 'subscribed' });
    expect(await ask('few.c.*')).toMatchObject({ code: 'too_many_patterns', retryable: true });
    expect(await ask('few.c')).toMatchObject({ type: 'subscribed' });
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'few.a.*' });
    while ((await ask('few.c.*')).type !== 'subscribed');
    const outcomes: string[] = [];
    for (let n = 0; n < 45; n++) outcomes.push((await ask(`scores.bound${n}.*`)).type);
    expect(outcomes.indexOf('error')).toBeGreaterThan(20);
    expect(outcomes.slice(outcomes.indexOf('error')).every((type) => type === 'error')).toBe(true);
    expect(await ask('live.z.*')).toMatchObject({ code: 'too_many_patterns' });
    await client.close();
  });

  it('is a topic of the SDK, whose items say their topic', async () => {
    const part = newPart();
    const sdk = createClient({ url: one.url });
    const got: unknown[] = [];
    await one.publish(`${part}.a`, 0);
    const topic = sdk.topic(`${part}.*`, { snapshot: true });
    const first = new Promise((resolve) => topic.subscribe(({ topic: name, data }) => resolve(got.push([name, data]))));
    await first;
    const rest = new Promise<void>((resolve) => topic.subscribe(() => got.length === 3 && resolve()));
    await one.publish(`${part}.b`, 1);
    await one.publish(`${part}.a`, 2);
    await rest;
    expect(got).toEqual([
      [`${part}.a`, 0],
      [`${part}.b`, 1],
      [`${part}.a`, 2],
    ]);
    expect((await topic.history({ last: 2 })).items.map((item) => item.topic)).toEqual([`${part}.b`, `${part}.a`]);
    await sdk.close();
  });
});
