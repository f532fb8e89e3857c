import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DocumentFollower } from '../support/document-follower.ts';
import { KeyedFollower } from '../support/keyed-follower.ts';
import { TestNode } from '../support/node.ts';
import { BookGenerator, isRight } from '../support/order-book.ts';
import { sign } from '../support/tokens.ts';

const KEYED = { public: true, state: 'keyed', patch: true, slowConsumer: 'conflate', clientPublish: true };
const NAMESPACES = {
  books: KEYED,
  small: { ...KEYED, documentBytesMax: 64, documentDepthMax: 2, documentFieldsMax: 5, documentKeysMax: 2, topicDocumentsBytesMax: 65_536 },
  short: { ...KEYED, history: { maxCount: 3 } },
  ticks: { public: true, state: 'keyed' },
};

function tokenFor(image: readonly string[]): Promise<string> {
  return sign({ sub: 'ann', exp: Date.now() / 1000 + 600, stentor: { publish: ['>'], subscribe: ['>'], image } });
}

let topics = 0;
const newTopic = (namespace = 'books') => `${namespace}.t${++topics}`;

describe('a topic with a document for each key', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await TestNode.start({ namespaces: NAMESPACES });
  });
  afterAll(() => node?.stop());

  const publish = (topic: string, key: string, data: unknown, image = false) =>
    node.publish(topic, data === undefined ? new Uint8Array() : data, { key, image });

  async function follow(topic: string, options: object = {}, encoding: 'json' | 'msgpack' = 'json') {
    const client = await node.connect({ encoding });
    const answer = await client.get('subscribed', { type: 'subscribe', topic, ...options });
    const follower = new KeyedFollower(topic, isRight);
    const until = async (offset: number) => {
      await client.until(`offset ${offset}`, () => follower.take(client).offset >= offset);
      return follower.all;
    };
    return { client, answer, follower, until };
  }

  it.each(['json', 'msgpack'] as const)('begins with all documents, and goes on with what changes in them, in %s', async (encoding) => {
    const topic = newTopic();
    await publish(topic, 'BTC', { bids: { '1.10': '5' }, status: 'open' }, true);
    await publish(topic, 'ETH', { bids: {} });
    await publish(topic, 'BTC', { bids: { '1.10': null, '1.20': '7' } });
    const { answer, client, until } = await follow(topic, {}, encoding);
    expect(answer.items.map(([, key, data, meta]) => [key, data, meta])).toEqual([
      ['ETH', { bids: {} }, undefined],
      ['BTC', { bids: { '1.20': '7' }, status: 'open' }, undefined],
    ]);
    const { offset } = await publish(topic, 'ETH', { status: { phase: 'auction' } });
    expect(await until(offset)).toEqual({
      ETH: { bids: {}, status: { phase: 'auction' } },
      BTC: { bids: { '1.20': '7' }, status: 'open' },
    });
    const batch = await client.next('batch');
    expect(batch.items).toEqual([[offset, 'ETH', { status: { phase: 'auction' } }, { patch: true }]]);
  });

  it.each([
    ['no payload', undefined],
    ['null', null],
  ])('has no document any more of a key that is removed by %s', async (_, nothing) => {
    const topic = newTopic();
    const { until } = await follow(topic);
    await publish(topic, 'BTC', { a: 1 });
    await publish(topic, 'ETH', { a: 1 });
    const { offset } = await publish(topic, 'BTC', nothing);
    expect(await until(offset)).toEqual({ ETH: { a: 1 } });
    expect((await follow(topic)).answer.items.map(([, key]) => key)).toEqual(['ETH']);
    const again = await publish(topic, 'BTC', { b: { c: null } });
    expect(await until(again.offset)).toEqual({ BTC: { b: {} }, ETH: { a: 1 } });
  });

  it('gives who returns what changed of each key, also that it was removed, and nothing of the others', async () => {
    const topic = newTopic();
    for (const key of ['BTC', 'ETH', 'XRP', 'LTC']) await publish(topic, key, { a: { x: 1 }, n: 0, pad: 'x'.repeat(500) }, true);
    const first = await follow(topic);
    const { offset: since, epoch } = first.answer;
    await publish(topic, 'BTC', { a: null });
    await publish(topic, 'BTC', { a: { y: 1 } });
    await publish(topic, 'XRP', null);
    for (let n = 1; n <= 20; n++) await publish(topic, 'ETH', { n });
    const back = await follow(topic, { since: { epoch, offset: since } });
    expect(back.answer).toMatchObject({ recovered: true });
    expect(back.answer.items.map(([, key, data, meta]) => [key, data, meta])).toEqual([
      ['BTC', { a: { y: 1 } }, { patch: true, first: { a: null } }],
      ['XRP', null, { removed: true }],
      ['ETH', { n: 20 }, { patch: true }],
    ]);
  });

  it('is one document for who follows one key', async () => {
    const topic = newTopic();
    await publish(topic, 'BTC', { a: 1, b: { c: 1 } }, true);
    await publish(topic, 'ETH', { other: true });
    const client = await node.connect();
    const answer = await client.get('subscribed', { type: 'subscribe', topic, key: 'BTC' });
    expect(answer.items.map(([, key, data]) => [key, data])).toEqual([['BTC', { a: 1, b: { c: 1 } }]]);
    const fields = await node.connect();
    const part = await fields.get('subscribed', { type: 'subscribe', topic, key: 'BTC', fields: ['/b/c'] });
    expect(part.items[0]?.[2]).toEqual({ b: { c: 1 } });
    await publish(topic, 'ETH', { other: false });
    const { offset } = await publish(topic, 'BTC', { b: { c: 2 } });
    const follower = new DocumentFollower(topic);
    await client.until('the change', () => follower.take(client).offset >= offset);
    expect(follower).toMatchObject({ gaps: 0, document: { a: 1, b: { c: 2 } } });
    expect((await fields.next('batch')).items.map(([, , data]) => data)).toEqual([{ b: { c: 2 } }]);
    const late = await node.connect();
    expect((await late.get('subscribed', { type: 'subscribe', topic, key: 'XRP' })).items).toEqual([]);
  });

  it('has the whole documents that changed as the history since a position', async () => {
    const topic = newTopic();
    const { epoch, offset } = await publish(topic, 'BTC', { a: 1 }, true);
    await publish(topic, 'ETH', { a: 1 });
    const last = await publish(topic, 'BTC', { b: 1 });
    for (const subscribed of [false, true]) {
      const client = subscribed ? (await follow(topic)).client : await node.connect();
      const history = await client.get('history', { type: 'history', topic, since: { epoch, offset } });
      expect(history.complete).toBe(true);
      expect(history.items.map(([at, key, data]) => [at, key, data])).toEqual([
        [last.offset - 1, 'ETH', { a: 1 }],
        [last.offset, 'BTC', { a: 1, b: 1 }],
      ]);
      const ofKey = await client.get('history', { type: 'history', topic, key: 'BTC', since: { epoch, offset } });
      expect(ofKey.items.map(([, , data]) => data)).toEqual([{ a: 1, b: 1 }]);
    }
  });

  it('keeps each document within its bounds, and all of them within those of the topic', async () => {
    const topic = newTopic('small');
    const { until } = await follow(topic);
    const one = await node.connect();
    await one.get('subscribed', { type: 'subscribe', topic, key: 'c' });
    await publish(topic, 'a', { a: '12345678901234567890' });
    for (const tooMuch of [{ c: 'x'.repeat(60) }, { c: { d: {} } }, { c: [1, 2, 3, 4] }]) await publish(topic, 'a', tooMuch);
    await publish(topic, 'b', { whole: 'x'.repeat(70) }, true);
    await publish(topic, 'b', { b: 1 });
    await publish(topic, 'c', { c: 1 });
    await publish(topic, 'b', null);
    const { offset } = await publish(topic, 'c', { c: 2 });
    expect(await until(offset)).toEqual({ a: { a: '12345678901234567890' }, c: { c: 2 } });
    expect(await node.metric('stentor_publications_skipped_total', { reason: 'document_too_large' })).toBe(5);
    // What the topic has no room for, its key does not get either.
    expect((await one.next('batch')).items.map(([, , data]) => data)).toEqual([{ c: 2 }]);
    const publisher = await node.connect({ encoding: 'msgpack', token: await tokenFor(['small.*', 'books.*']) });
    const refusal = { type: 'error', code: 'document_too_large', retryable: false };
    expect(await publisher.ask({ type: 'publish', topic, key: 'd', data: { d: 1 } })).toMatchObject(refusal);
    expect(await publisher.ask({ type: 'publish', topic, key: 'a', data: { a: 'x'.repeat(70) } })).toMatchObject(refusal);
    await publisher.get('published', { type: 'publish', topic, key: 'a', data: null });
    await publisher.get('published', { type: 'publish', topic, key: 'd', data: { d: 1 } });
    await publisher.get('published', { type: 'publish', topic: newTopic(), key: 'd', data: { d: 1 }, image: true });
  });

  it('begins anew for who was not told of removals that the node has forgotten: in a rate class, and after a return', async () => {
    const few = await TestNode.start({ namespaces: NAMESPACES, 'tuning.recent.keysPerTopicMax': 2 });
    try {
      const topic = newTopic();
      const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
      for (const key of keys) await few.publish(topic, { key }, { key });
      const [live, sampled, back] = [await few.connect(), await few.connect(), await few.connect()];
      await live.get('subscribed', { type: 'subscribe', topic });
      const { epoch, offset: since } = await sampled.get('subscribed', { type: 'subscribe', topic, maxRateHz: 1 });
      for (const key of keys) await few.publish(topic, null, { key });
      const { offset } = await few.publish(topic, { again: true }, { key: 'k0' });
      for (const client of [live, sampled]) {
        const follower = new KeyedFollower(topic);
        await client.until(`offset ${offset}`, () => follower.take(client).offset >= offset);
        expect(follower).toMatchObject({ gaps: 0, all: { k0: { again: true } } });
      }
      expect(live.messages.some(({ type }) => type === 'resync')).toBe(false);
      expect(await sampled.next('resync')).toMatchObject({ reason: 'what was missed is no longer known' });
      const answer = await back.get('subscribed', { type: 'subscribe', topic, since: { epoch, offset: since } });
      expect(answer).toMatchObject({ recovered: false, offset });
      expect(answer.items.map(([, key, data]) => [key, data])).toEqual([['k0', { again: true }]]);
    } finally {
      await few.stop();
    }
  });

  it('refuses what leaves out changes, or is of one document', async () => {
    const topic = newTopic();
    const client = await node.connect();
    for (const wish of [{ echo: false }, { fields: ['/a'] }, { filter: { league: 'epl' } }]) {
      expect(await client.ask({ type: 'subscribe', topic, ...wish })).toMatchObject({ type: 'error', code: 'unsupported' });
    }
  });

  it('has no state where the log does not prove one of its documents, until that is published as a whole', async () => {
    const topic = newTopic('short');
    await publish(topic, 'BTC', { a: 1 }, true);
    for (let n = 0; n < 5; n++) await publish(topic, 'BTC', { n });
    await publish(topic, 'ETH', { a: 1 }, true);
    const { answer, client, until } = await follow(topic);
    expect(answer).toMatchObject({ state: 'unavailable', recovered: false, offset: 0, items: [] });
    const one = await node.connect();
    expect(await one.get('subscribed', { type: 'subscribe', topic, key: 'BTC' })).toMatchObject({ state: 'unavailable' });
    const other = await node.connect();
    const known = await other.get('subscribed', { type: 'subscribe', topic, key: 'ETH' });
    expect(known).not.toHaveProperty('state');
    expect(known.items.map(([, , data]) => data)).toEqual([{ a: 1 }]);
    await publish(topic, 'BTC', { n: 7 });
    await publish(topic, 'ETH', { b: 2 });
    const { offset } = await publish(topic, 'BTC', { whole: true }, true);
    expect(await until(offset)).toEqual({ BTC: { whole: true }, ETH: { a: 1, b: 2 } });
    expect(client.messages.filter(({ type }) => type === 'batch')).toEqual([]);
    expect(await client.next('resync')).toMatchObject({ offset });
    expect(await one.next('resync')).toMatchObject({ key: 'BTC', items: [[offset, 'BTC', { whole: true }]] });
    const after = await publish(topic, 'BTC', { n: 8 });
    expect(await until(after.offset)).toMatchObject({ BTC: { whole: true, n: 8 } });
    expect((await follow(topic)).answer).not.toHaveProperty('state');
  });

  it('is the same for everybody, whatever they are sent of it, also if that takes many frames', async () => {
    const topic = newTopic();
    const names = Array.from({ length: 12 }, (_, i) => `K${i}`);
    const books = new Map(names.map((name) => [name, new BookGenerator(90)] as const));
    for (const [name, book] of books) await publish(topic, name, book.image().patch, true);
    const members = await Promise.all(
      [undefined, 1, 5, 20].flatMap((maxRateHz) =>
        (['json', 'msgpack'] as const).map((encoding) => follow(topic, maxRateHz === undefined ? {} : { maxRateHz }, encoding)),
      ),
    );
    expect(members.some(({ answer }) => answer.upTo !== undefined)).toBe(true);
    let last = 0;
    for (let n = 0; n < 3000; n++) {
      const name = names[Math.floor(Math.random() * names.length)] as string;
      const { patch, image } = (books.get(name) as BookGenerator).next();
      last = (await publish(topic, name, patch, image)).offset;
      if (n % 100 === 0) await members[0]?.until(last);
      if (n % 700 === 0) members.push(await follow(topic, {}, n % 1400 === 0 ? 'json' : 'msgpack'));
    }
    const all = Object.fromEntries([...books].map(([name, { book }]) => [name, book]));
    for (const { until, follower } of members) {
      expect(await until(last)).toEqual(all);
      expect(follower).toMatchObject({ gaps: 0, wrong: 0 });
    }
    expect(members.some(({ follower }) => follower.conflated > 0)).toBe(true);
    expect(members.some(({ follower }) => follower.continued > 0)).toBe(true);
  });
});
