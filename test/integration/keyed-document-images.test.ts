import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { KeyedFollower } from '../support/keyed-follower.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { BookGenerator, isRight } from '../support/order-book.ts';
import { until } from '../support/until.ts';

/** Of each key: a whole book is gone from the log after so many changes. */
const COUNT_MAX = 60;
const INTERVAL_MS = 300;
const BOOKS = { public: true, state: 'keyed', patch: true, slowConsumer: 'conflate', history: { maxCount: COUNT_MAX } };
const TOPIC = 'books.a';
const KEYS = Array.from({ length: 10 }, (_, i) => `K${i}`);

const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function startNode(url: string, books: object = {}): Promise<TestNode> {
  const node = await TestNode.start({
    namespaces: { books: { ...BOOKS, ...books } },
    'nats.url': url,
    'tuning.hub.imageIntervalMs': INTERVAL_MS,
    'tuning.hub.topicLingerMs': 0,
  });
  closings.push(() => node.stop());
  return node;
}

async function follow(node: TestNode, options: object = {}) {
  const client = await node.connect({ encoding: 'msgpack' });
  const follower = new KeyedFollower(TOPIC, isRight);
  const answer = await client.get('subscribed', { type: 'subscribe', topic: TOPIC, ...options });
  const has = (offset: number) => client.until(`offset ${offset}`, () => follower.take(client).offset >= offset);
  return { client, follower, answer, has };
}

describe.each(natsServerBinaries())('the images of a keyed topic with documents (%s)', (binary) => {
  let nats: NatsConnection;

  /** Images may have 8 KB, so the books need several parts. */
  async function serve(): Promise<string> {
    const server = await startNatsServer({ binary, config: 'max_payload: 16384' });
    closings.push(() => server.stop());
    nats = await connect({ servers: server.url });
    closings.push(() => nats.close());
    return server.url;
  }

  async function storedAt(filter: string): Promise<{ subject: string; seq: number }[]> {
    const consumer = await jetstream(nats).consumers.get('stentor-books', { filter_subjects: filter });
    const found = [];
    while ((await consumer.info()).num_pending > 0) {
      const message = await consumer.next();
      if (message !== null) found.push({ subject: message.subject, seq: message.seq });
    }
    await consumer.delete();
    return found;
  }

  /** Books as keys, changed until nothing of their whole publications is left in the log. */
  async function publishBooks(node: TestNode, until: (offset: number) => Promise<void>) {
    const books = KEYS.map((key) => ({ key, book: new BookGenerator(100) }));
    let last = 0;
    for (const { key, book } of books) last = (await node.publish(TOPIC, book.image().patch, { key, image: true })).offset;
    for (let n = 0; n < 2 * COUNT_MAX; n++) {
      for (const { key, book } of books) last = (await node.publish(TOPIC, book.patch().patch, { key })).offset;
      // Time for images, as in a feed that is not as fast as it can be.
      if (n % 10 === 0) await until(last);
    }
    await until(last);
    return { last, all: Object.fromEntries(books.map(({ key, book }) => [key, book.book])), books };
  }

  it('keep documents whose whole publications the log has removed: after a restart they are what they were, also each by itself', async () => {
    const url = await serve();
    const node = await startNode(url);
    await node.publish(TOPIC, new BookGenerator(5).image().patch, { key: 'gone', image: true });
    const { follower, has } = await follow(node);
    await node.publish(TOPIC, null, { key: 'gone' });
    const { last, all, books } = await publishBooks(node, has);
    expect(follower).toMatchObject({ gaps: 0, wrong: 0, all });
    await closings.pop()?.();
    const images = await storedAt('image.>');
    expect(images.filter(({ subject }) => subject === `image.${TOPIC}.head`).length).toBeGreaterThan(1);
    expect(new Set(images.map(({ subject }) => subject)).size).toBeGreaterThan(4);
    const again = await startNode(url);
    const one = await again.connect({ encoding: 'msgpack' });
    const ofOne = await one.get('subscribed', { type: 'subscribe', topic: TOPIC, key: 'K3' });
    expect(ofOne).not.toHaveProperty('state');
    expect(ofOne.items.map(([, key, data]) => [key, data])).toEqual([['K3', all.K3]]);
    const late = await follow(again);
    expect(late.answer).not.toHaveProperty('state');
    await late.has(last);
    expect(late.follower).toMatchObject({ wrong: 0, all });
    const { key, book } = books[5]!;
    const change = await again.publish(TOPIC, book.patch().patch, { key });
    await late.has(change.offset);
    expect(late.follower).toMatchObject({ gaps: 0, wrong: 0 });
  });

  it('prove nothing if a part is gone: there is no state until the image of another node, or until every key was published as a whole', async () => {
    const url = await serve();
    const first = await startNode(url);
    const knowing = await follow(first);
    const { all } = await publishBooks(first, knowing.has);
    const second = await startNode(url);
    let ignorant = await follow(second);
    // An image may have been on its way. Nothing more changes, so soon there is none.
    while (ignorant.answer.state !== 'unavailable') {
      await ignorant.client.get('unsubscribed', { type: 'unsubscribe', topic: TOPIC });
      // As many as are kept take the place of all that there were.
      for (let n = 0; n < COUNT_MAX; n++) await jetstream(nats).publish(`image.${TOPIC}.0`, 'no part');
      ignorant = await follow(second);
    }
    expect(ignorant.answer).toMatchObject({ state: 'unavailable', offset: 0, items: [] });
    const { offset } = await first.publish(TOPIC, all.K0, { key: 'K0', image: true });
    await knowing.has(offset);
    expect(ignorant.client.messages.filter(({ type }) => type === 'batch')).toEqual([]);
    // The first node stores another image when as much has changed as it takes.
    await until('an image', async () => {
      await first.publish(TOPIC, all.K0, { key: 'K0', image: true });
      return ignorant.client.messages.some(({ type }) => type === 'resync');
    });
    expect(await ignorant.client.next('resync')).toMatchObject({ topic: TOPIC });
    const end = await first.publish(TOPIC, all.K0, { key: 'K0', image: true });
    await ignorant.has(end.offset);
    expect(ignorant.follower).toMatchObject({ gaps: 0, wrong: 0, all });
  });
});
