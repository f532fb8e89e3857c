import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import type { Publication } from '../../src/bus/publication.ts';
import { encodeImage, type Image } from '../../src/hub/documents/image.ts';
import { packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { DocumentFollower } from '../support/document-follower.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { BookGenerator, isRight } from '../support/order-book.ts';
import { until } from '../support/until.ts';

/** A whole book is gone from the log after so many changes. */
const COUNT_MAX = 100;
const INTERVAL_MS = 300;
const BOOKS = { public: true, state: 'document', slowConsumer: 'conflate', history: { maxCount: COUNT_MAX } };
const TOPIC = 'books.a';

const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function startNode(url: string, books: object = {}, settings: object = {}): Promise<TestNode> {
  const node = await TestNode.start({
    namespaces: { books: { ...BOOKS, ...books } },
    'nats.url': url,
    'tuning.hub.imageIntervalMs': INTERVAL_MS,
    'tuning.hub.topicLingerMs': 0,
    ...settings,
  });
  closings.push(() => node.stop());
  return node;
}

const publish = (node: TestNode, data: unknown, image = false) => node.publish(TOPIC, data, { image });

async function follow(node: TestNode, options: object = {}) {
  const client = await node.connect({ encoding: 'msgpack' });
  const follower = new DocumentFollower(TOPIC, isRight);
  const answer = await client.get('subscribed', { type: 'subscribe', topic: TOPIC, ...options });
  const has = (offset: number) => client.until(`offset ${offset}`, () => follower.take(client).offset >= offset);
  return { client, follower, answer, has };
}

describe.each(natsServerBinaries())('the image of a document (%s)', (binary) => {
  let server: NatsServer;
  let nats: NatsConnection;

  async function serve(): Promise<string> {
    server = await startNatsServer({ binary });
    closings.push(() => server.stop());
    nats = await connect({ servers: server.url });
    closings.push(() => nats.close());
    return server.url;
  }

  /** All that are in the log, oldest first. */
  async function images(): Promise<{ atMs: number; image: Image }[]> {
    const consumer = await jetstream(nats).consumers.get('stentor-books', { filter_subjects: 'image.>' });
    const found = [];
    while ((await consumer.info()).num_pending > 0) {
      const message = await consumer.next();
      if (message !== null) found.push({ atMs: message.info.timestampNanos / 1e6, image: unpackMsgpack(message.data) as Image });
    }
    await consumer.delete();
    return found;
  }

  it('keeps a document whose whole publication the log has removed: after a restart it is what it was', async () => {
    const url = await serve();
    const node = await startNode(url);
    const generator = new BookGenerator(20);
    await publish(node, generator.image().patch, true);
    const { follower, client, has } = await follow(node);
    let last = 0;
    for (let n = 0; n < 8 * COUNT_MAX; n++) {
      last = (await publish(node, generator.patch().patch)).offset;
      // Time for images, as in a feed that is not as fast as it can be.
      if (n % 20 === 0) await has(last);
    }
    await has(last);
    expect(follower).toMatchObject({ gaps: 0, wrong: 0, document: generator.book });
    const batches = client.messages.filter((message) => message.type === 'batch');
    expect(batches.every(({ items }) => items.every(([, , data]) => !(data instanceof Uint8Array)))).toBe(true);
    await closings.pop()?.();
    const stored = await images();
    expect(stored.length).toBeGreaterThan(0);
    const again = await startNode(url);
    const { answer, follower: late, client: lateClient } = await follow(again);
    expect(answer).not.toHaveProperty('state');
    expect(late.take(lateClient)).toMatchObject({ offset: last, wrong: 0, document: generator.book });
    const history = await lateClient.get('history', { type: 'history', topic: TOPIC, last: 5 });
    expect(history.items).toHaveLength(5);
    expect(history.items.at(-1)?.[0]).toBe(last);
  });

  it('is stored once an interval, however many nodes there are, and never goes back', async () => {
    const url = await serve();
    const all = [await startNode(url, { history: {} }), await startNode(url, { history: {} }), await startNode(url, { history: {} })];
    const [node] = all as [TestNode];
    const generator = new BookGenerator(5);
    await publish(node, generator.image().patch, true);
    const readers = await Promise.all(all.map((one) => follow(one)));
    let last = 0;
    await until('four images', async () => {
      for (let n = 0; n < 20; n++) last = (await publish(node, generator.patch().patch)).offset;
      return (await images()).length >= 4;
    });
    for (const { has, follower } of readers) {
      await has(last);
      expect(follower).toMatchObject({ gaps: 0, wrong: 0, document: generator.book });
    }
    const stored = await images();
    for (const [i, { atMs, image }] of stored.entries()) {
      const before = stored[i - 1];
      if (before === undefined) continue;
      // Clocks of one machine, to the millisecond.
      expect(atMs - before.atMs).toBeGreaterThanOrEqual(INTERVAL_MS - 2);
      expect(image.offset).toBeGreaterThan(before.image.offset);
    }
  });

  it('is stored when the topic closes', async () => {
    const node = await startNode(await serve());
    await publish(node, { a: 1, pad: 'x'.repeat(1000) }, true);
    const { client, has } = await follow(node);
    const { offset } = await publish(node, { b: 2 });
    // NATS has it before the node that closes the topic.
    await has(offset);
    await client.get('unsubscribed', { type: 'unsubscribe', topic: TOPIC });
    await until('an image', async () => (await images()).length === 1);
    const image = (await images())[0]?.image;
    expect(image).toMatchObject({ offset, bounds: { bytesMax: 262_144, depthMax: 16, fieldsMax: 20_000 } });
    expect(unpackMsgpack(image?.document as Uint8Array)).toEqual({ a: 1, b: 2, pad: 'x'.repeat(1000) });
  });

  /** A document that only an image has: its whole publication is gone. */
  async function withImage(node: TestNode, change: (image: Image) => Partial<Image>): Promise<void> {
    const image = await withoutBase(node);
    await store({ ...image, ...change(image) });
  }

  const store = (image: Image) => jetstream(nats).publish(`image.${TOPIC}`, encodeImage(image));

  /** A document whose whole publication is gone. @returns an image that would prove it */
  async function withoutBase(node: TestNode): Promise<Image> {
    const { epoch } = await publish(node, { a: 1 }, true);
    for (let n = 0; n < COUNT_MAX; n++) await publish(node, { n });
    await node.publish('books.other', {}, { image: true });
    const [last] = (await node.bus.log('books').readLast(parseTopic(TOPIC), 1)) as [Publication];
    return {
      epoch,
      offset: last.offset,
      publishedAtMs: last.publishedAtMs,
      upTo: last.offset,
      bounds: { bytesMax: 262_144, depthMax: 16, fieldsMax: 20_000 },
      document: packMsgpack({ a: 1, n: COUNT_MAX - 1 }),
    };
  }

  it('is the document where nothing else proves it', async () => {
    const node = await startNode(await serve());
    await withImage(node, () => ({}));
    const { answer } = await follow(node);
    expect(answer).not.toHaveProperty('state');
    expect(answer.items.map(([, , data]) => data)).toEqual([{ a: 1, n: COUNT_MAX - 1 }]);
  });

  it('of another node is used where the document was not known: clients are resynced', async () => {
    const node = await startNode(await serve());
    const image = await withoutBase(node);
    const { answer, client, follower, has } = await follow(node);
    expect(answer).toMatchObject({ state: 'unavailable', items: [] });
    // This one proves nothing, and nobody is told.
    await store({ ...image, publishedAtMs: image.publishedAtMs - 1 });
    await publish(node, { a: 2 });
    await store(image);
    expect(await client.next('resync')).toMatchObject({ items: [[expect.any(Number), null, { a: 2, n: COUNT_MAX - 1 }]] });
    const { offset } = await publish(node, { b: 1 });
    await has(offset);
    expect(follower).toMatchObject({ gaps: 0, document: { a: 2, n: COUNT_MAX - 1, b: 1 } });
    expect(client.messages.filter(({ type }) => type === 'resync')).toHaveLength(1);
  });

  it.each([
    [
      'another publication is where it was made: the log was rolled back',
      ({ publishedAtMs }: Image) => ({ publishedAtMs: publishedAtMs - 1 }),
    ],
    ['it is of another topic’s publication', ({ offset }: Image) => ({ offset: offset + 1, upTo: offset + 1 })],
    ['it was made with other bounds', ({ bounds }: Image) => ({ bounds: { ...bounds, depthMax: 15 } })],
  ])('proves nothing if %s: there is no state until the next whole publication', async (_, change) => {
    const node = await startNode(await serve());
    await withImage(node, change);
    const { answer, client, follower, has } = await follow(node);
    expect(answer).toMatchObject({ state: 'unavailable', recovered: false, items: [] });
    const { offset } = await publish(node, new BookGenerator(2).image().patch, true);
    await has(offset);
    expect(await client.next('resync')).toMatchObject({ offset });
    expect(follower.wrong).toBe(0);
  });

  it('is counted and logged when it is not used, because this node has other bounds', async () => {
    const url = await serve();
    const node = await startNode(url);
    await withImage(node, () => ({}));
    const other = await startNode(url, { documentDepthMax: 15 });
    expect((await follow(other)).answer).toMatchObject({ state: 'unavailable' });
    expect(await other.metric('stentor_document_images_total', { outcome: 'other_bounds' })).toBe(1);
    expect(other.log.some((line) => line.includes('other_bounds') && line.includes(TOPIC))).toBe(true);
  });

  it('is too large for a server with a small max_payload: that is counted and logged, and the document goes on', async () => {
    server = await startNatsServer({ binary, config: 'max_payload: 16384' });
    closings.push(() => server.stop());
    const node = await startNode(server.url);
    await publish(node, { pad: 'x'.repeat(8000) }, true);
    const { client, has } = await follow(node);
    const { offset } = await publish(node, { more: 'y'.repeat(7000) });
    await has(offset);
    await client.get('unsubscribed', { type: 'unsubscribe', topic: TOPIC });
    await node.untilMetric('stentor_document_images_total', (count) => count > 0, { outcome: 'too_large' });
    expect(node.log.some((line) => line.includes('too_large'))).toBe(true);
    expect((await follow(node)).answer.items).toHaveLength(1);
  });
});
