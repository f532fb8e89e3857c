import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOptions } from '../../src/client/document.ts';
import { createClient } from '../../src/client/index.ts';
import { DocumentFollower } from '../support/document-follower.ts';
import { TestNode } from '../support/node.ts';
import { partsOf } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const FRAME_BYTES_MAX = 16 * 1024;
const ENCODINGS = ['json', 'msgpack'] as const;
/** About as many bytes as the book of a real exchange. */
const LEVELS = 2000;

describe('a document that is larger than a frame', () => {
  let node: TestNode;
  let topics = 0;
  const newTopic = (namespace = 'books') => `${namespace}.t${topics++}`;

  beforeAll(async () => {
    node = await TestNode.start({
      namespaces: {
        books: { public: true, state: 'document', slowConsumer: 'conflate' },
        ticks: { public: true, state: 'keyed' },
      },
      'tuning.hub.topicLingerMs': 0,
    });
  });
  afterAll(() => node?.stop());

  const book = (levels = LEVELS, size = '1.00000000') => ({
    bids: Object.fromEntries(Array.from({ length: levels }, (_, n) => [`${(100 + n / 10).toFixed(1)}"ü`, size])),
  });

  async function follow(topic: string, encoding: (typeof ENCODINGS)[number], options: object = {}) {
    const client = await node.connect({ encoding, socket: { maxPayload: FRAME_BYTES_MAX } });
    const answer = await client.get('subscribed', { type: 'subscribe', topic, parts: true, ...options });
    const follower = new DocumentFollower(topic);
    const reach = (offset: number) => client.until(`offset ${offset}`, () => follower.take(client).offset >= offset);
    return { client, answer, follower, reach };
  }

  it.each(ENCODINGS)('begins in parts, each a frame of the usual size, and goes on with its patches, in %s', async (encoding) => {
    const topic = newTopic();
    const { offset } = await node.publish(topic, book(), { image: true });
    const { client, answer, follower, reach } = await follow(topic, encoding);
    expect(answer).toMatchObject({ offset: 0, upTo: offset, recovered: false, items: [] });
    await reach(offset);
    expect(follower.document).toEqual(book());
    expect(partsOf(client).length).toBeGreaterThan(2);
    expect(partsOf(client).map(({ part }) => part)).toEqual(partsOf(client).map((_, index) => index + 1));
    const change = await node.publish(topic, { bids: { '100.0"ü': '7' } });
    await reach(change.offset);
    expect((follower.document as ReturnType<typeof book>).bids['100.0"ü']).toBe('7');
    expect(follower).toMatchObject({ gaps: 0, joined: 1, patches: 1 });
  });

  it.each(ENCODINGS)('is the one that was published, for clients that begin while it changes, in %s', async (encoding) => {
    const topic = newTopic();
    let last = (await node.publish(topic, book(), { image: true })).offset;
    const sizes: Record<string, string> = { ...book().bids };
    const followers: Awaited<ReturnType<typeof follow>>[] = [];
    for (let n = 0; n < 8; n++) {
      const beginning = follow(topic, encoding);
      for (let change = 0; change < 10; change++) {
        const price = `${(100 + Math.floor(Math.random() * LEVELS) / 10).toFixed(1)}"ü`;
        sizes[price] = `${n}.${change}`;
        last = (await node.publish(topic, { bids: { [price]: sizes[price] } })).offset;
      }
      followers.push(await beginning);
    }
    for (const { follower, reach } of followers) {
      await reach(last);
      expect(follower).toMatchObject({ gaps: 0, joined: 1, document: { bids: sizes } });
    }
  });

  it('begins anew where the client comes back before it was complete', async () => {
    const topic = newTopic();
    const { offset } = await node.publish(topic, book(), { image: true });
    const client = await node.connect({ encoding: 'json' });
    const { epoch } = await client.get('subscribed', { type: 'subscribe', topic, parts: true });
    await client.next('part', ({ part }) => part === 2);
    await client.close();
    const { follower, reach } = await follow(topic, 'json', { since: { epoch, offset: 0 } });
    await reach(offset);
    expect(follower.document).toEqual(book());
  });

  it('is not passed by another subscribe meanwhile', async () => {
    const topic = newTopic();
    const { offset } = await node.publish(topic, book(), { image: true });
    const client = await node.connect({ encoding: 'json', socket: { maxPayload: FRAME_BYTES_MAX } });
    client.send([
      { type: 'subscribe', id: 1, topic, parts: true },
      { type: 'subscribe', id: 2, topic, parts: true, maxRateHz: 5 },
    ]);
    const changed = await client.next('subscribed', ({ id }) => id === 2);
    const follower = new DocumentFollower(topic);
    await client.until('the document', () => follower.take(client).offset >= offset);
    expect(changed.offset).toBeLessThan(offset);
    expect(follower).toMatchObject({ gaps: 0, document: book() });
  });

  it('comes in one frame to a client that does not ask for parts', async () => {
    const topic = newTopic();
    const { offset } = await node.publish(topic, book(), { image: true });
    const client = await node.connect({ encoding: 'msgpack' });
    const answer = await client.get('subscribed', { type: 'subscribe', topic });
    expect(answer).toMatchObject({ offset: 0, upTo: offset, items: [] });
    expect(await client.next('batch')).toMatchObject({ prev: 0, items: [[offset, null, book()]] });
  });

  it('is not in parts where it fits', async () => {
    const topic = newTopic();
    const { offset } = await node.publish(topic, book(50), { image: true });
    const { client, answer } = await follow(topic, 'json');
    expect(answer).toMatchObject({ offset, items: [[offset, null, book(50)]] });
    expect(partsOf(client)).toEqual([]);
  });

  it('is put together by the SDK, and a large value of a keyed topic by other clients', async () => {
    const topic = newTopic();
    await node.publish(topic, book(), { image: true });
    const client = createClient({ url: node.url });
    const states: unknown[] = [];
    const books = client.topic<ReturnType<typeof book>>(topic, documentOptions());
    books.subscribe(({ data }) => states.push(data));
    await until('the document', () => books.document !== undefined);
    expect([books.document, states.length]).toEqual([book(), 1]);
    await node.publish(topic, { bids: null });
    await until('the change', () => states.length === 2);
    expect(books.document).toEqual({});
    await client.close();

    const keyed = newTopic('ticks');
    const { offset } = await node.publish(keyed, book(), { key: 'large' });
    const small = await node.publish(keyed, 1, { key: 'small' });
    const { client: plain, answer, reach } = await follow(keyed, 'msgpack', { snapshot: true });
    expect(answer).toMatchObject({ offset: 0, upTo: small.offset, items: [] });
    await reach(small.offset);
    expect(partsOf(plain).length).toBeGreaterThan(2);
    expect(plain.messages.flatMap((message) => (message.type === 'batch' ? message.items : []))).toEqual([[small.offset, 'small', 1]]);
    expect(offset).toBeLessThan(small.offset);
  });
});
