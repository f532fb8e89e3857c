import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DocumentFollower } from '../support/document-follower.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { type BookChange, BookGenerator, isRight } from '../support/order-book.ts';
import { ProcessPair } from '../support/process-pair.ts';
import type { TestClient } from '../support/test-client.ts';

const NAMESPACES = { books: { public: true, state: 'document', slowConsumer: 'conflate', maxPayloadBytes: 60_000 } };
const TOPICS = ['books.a', 'books.b'];
const CHANGES = 6000;
const LARGE_TOPIC = 'books.large';
/** Of every change, so that sockets that nobody reads are soon full. */
const LARGE_CHARS = 40_000;
const RATES = [undefined, 1, 5, 20];

/** A client of one node, which may be cut and go on at another. */
class Reader {
  readonly topic: string;
  readonly follower: DocumentFollower;
  client!: TestClient;
  readonly #options: object;
  readonly #encoding: 'json' | 'msgpack';

  constructor(topic: string, encoding: 'json' | 'msgpack', options: object = {}) {
    this.topic = topic;
    this.#encoding = encoding;
    this.#options = options;
    this.follower = new DocumentFollower(topic, isRight);
  }

  async start(node: NodeProcess): Promise<this> {
    this.client = await node.connect({ encoding: this.#encoding });
    const { epoch, offset } = this.follower;
    const since = offset < 0 ? {} : { since: { epoch, offset } };
    await this.client.get('subscribed', { type: 'subscribe', topic: this.topic, ...this.#options, ...since });
    return this;
  }

  async cut(): Promise<void> {
    this.follower.take(this.client);
    await this.client.close();
    this.follower.take(this.client).reconnected();
  }

  has(offset: number): Promise<void> {
    return this.client.until(`offset ${offset} of ${this.topic}`, () => this.follower.take(this.client).offset >= offset);
  }
}

describe('order books over two nodes with two workers each', () => {
  let pair: ProcessPair;
  beforeAll(async () => {
    pair = await ProcessPair.start({ namespaces: NAMESPACES, 'heartbeat.pingIntervalMs': 600_000 });
  });
  afterAll(() => pair?.stop());

  const image = headers();
  image.set('Stentor-Image', 'true');
  const publish = (topic: string, change: BookChange) =>
    jetstream(pair.producer).publish(`feed.${topic}`, JSON.stringify(change.patch), change.image ? { headers: image } : {});

  it('have the right checksum after every batch: cut, at any rate, or late', async () => {
    const books = TOPICS.map((topic) => ({ topic, generator: new BookGenerator(60), offset: 0 }));
    for (const book of books) book.offset = (await publish(book.topic, book.generator.image())).seq;

    const readers: Reader[] = [];
    const add = async (options: object = {}) => {
      for (const topic of TOPICS)
        for (const encoding of ['json', 'msgpack'] as const) {
          readers.push(await new Reader(topic, encoding, options).start(pair.node(readers.length)));
        }
    };
    for (const maxRateHz of RATES) await add(maxRateHz === undefined ? {} : { maxRateHz });
    const byRate = readers.length;
    await add();
    const cut = readers.slice(byRate);

    const step = CHANGES / 20;
    for (let n = 0; n < CHANGES; n += step) {
      const acks = books.map(async (book) => {
        const sent = Array.from({ length: step }, () => publish(book.topic, book.generator.next()));
        book.offset = (await Promise.all(sent)).at(-1)?.seq ?? 0;
      });
      await Promise.all(acks);
      const one = cut[Math.floor(Math.random() * cut.length)] as Reader;
      await one.cut();
      await one.start(pair.node(Math.floor(Math.random() * 2)));
      if (n % (5 * step) === 0) await add();
    }
    for (const reader of readers) {
      const book = books.find(({ topic }) => topic === reader.topic) as (typeof books)[number];
      await reader.has(book.offset);
      expect(reader.follower).toMatchObject({ gaps: 0, wrong: 0, document: book.generator.book });
    }
    const total = (of: 'checks' | 'patches' | 'pairs' | 'conflated') => readers.reduce((sum, { follower }) => sum + follower[of], 0);
    expect(total('checks')).toBeGreaterThan(1000);
    expect(total('pairs')).toBeGreaterThan(0);
    expect(total('conflated')).toBeGreaterThan(0);
  });

  it('have the right checksum after every batch for readers that are too slow for all of them', async () => {
    const generator = new BookGenerator(60, LARGE_CHARS);
    let last = (await publish(LARGE_TOPIC, generator.image())).seq;
    const readers = await Promise.all(
      (['json', 'msgpack', 'json', 'msgpack'] as const).map((encoding, i) => new Reader(LARGE_TOPIC, encoding).start(pair.node(i))),
    );
    const publishSome = async () => {
      const acks = await Promise.all(Array.from({ length: 50 }, () => publish(LARGE_TOPIC, generator.next())));
      last = acks.at(-1)?.seq ?? 0;
    };
    for (const { client } of readers) client.pause();
    while ((await pair.metric('stentor_connections_lagging')) < readers.length) await publishSome();
    await publishSome();
    for (const { client } of readers) client.resume();
    await publishSome();
    for (const reader of readers) {
      await reader.has(last);
      expect(reader.follower).toMatchObject({ gaps: 0, wrong: 0, document: generator.book });
      expect(reader.client.messages.find(({ type }) => type === 'lagged')).toMatchObject({ policy: 'conflate' });
    }
  });
});
