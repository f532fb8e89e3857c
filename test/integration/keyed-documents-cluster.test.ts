import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyedFollower } from '../support/keyed-follower.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { type BookChange, BookGenerator, isRight } from '../support/order-book.ts';
import { ProcessPair } from '../support/process-pair.ts';
import type { TestClient } from '../support/test-client.ts';

const NAMESPACES = { books: { public: true, state: 'keyed', patch: true, slowConsumer: 'conflate', maxPayloadBytes: 60_000 } };
const TOPIC = 'books.all';
const LARGE_TOPIC = 'books.large';
const KEYS = Array.from({ length: 8 }, (_, i) => `SYM-${i}`);
const CHANGES = 8000;
/** Of every change, so that sockets that nobody reads are soon full. */
const LARGE_CHARS = 40_000;

/** A client of one node, which may be cut and go on at another. */
class Reader {
  readonly follower: KeyedFollower;
  client!: TestClient;
  readonly #encoding: 'json' | 'msgpack';
  readonly #options: object;

  constructor(topic: string, encoding: 'json' | 'msgpack', options: object = {}) {
    this.#encoding = encoding;
    this.#options = options;
    this.follower = new KeyedFollower(topic, isRight);
  }

  async start(node: NodeProcess): Promise<this> {
    this.client = await node.connect({ encoding: this.#encoding });
    const { topic, epoch, offset } = this.follower;
    const since = offset < 0 ? {} : { since: { epoch, offset } };
    await this.client.get('subscribed', { type: 'subscribe', topic, ...this.#options, ...since });
    return this;
  }

  async cut(): Promise<void> {
    this.follower.take(this.client);
    await this.client.close();
    this.follower.take(this.client).reconnected();
  }

  has(offset: number): Promise<void> {
    return this.client.until(`offset ${offset}`, () => this.follower.take(this.client).offset >= offset);
  }
}

/** Books as the keys of one topic. */
class Books {
  readonly topic: string;
  readonly books: ReadonlyMap<string, BookGenerator>;
  offset = 0;

  constructor(topic: string, noteChars = 0) {
    this.topic = topic;
    this.books = new Map(KEYS.map((key) => [key, new BookGenerator(60, noteChars)]));
  }

  get all(): Record<string, unknown> {
    return Object.fromEntries([...this.books].map(([key, { book }]) => [key, book]));
  }

  /** Of any key. */
  next(): { key: string; change: BookChange } {
    const key = KEYS[Math.floor(Math.random() * KEYS.length)] as string;
    return { key, change: (this.books.get(key) as BookGenerator).next() };
  }
}

describe('order books as keys of one topic, over two nodes with two workers each', () => {
  let pair: ProcessPair;
  beforeAll(async () => {
    pair = await ProcessPair.start({ namespaces: NAMESPACES, 'heartbeat.pingIntervalMs': 600_000 });
  });
  afterAll(() => pair?.stop());

  const image = headers();
  image.set('Stentor-Image', 'true');
  const publish = (topic: string, key: string, change: BookChange) =>
    jetstream(pair.producer).publish(`feed.${topic}.${key}`, JSON.stringify(change.patch), change.image ? { headers: image } : {});

  async function begin(books: Books): Promise<void> {
    for (const [key, book] of books.books) books.offset = (await publish(books.topic, key, book.image())).seq;
  }

  async function publishSome(books: Books, count: number): Promise<void> {
    const acks = Array.from({ length: count }, () => {
      const { key, change } = books.next();
      return publish(books.topic, key, change);
    });
    books.offset = (await Promise.all(acks)).at(-1)?.seq ?? 0;
  }

  it('have the right checksum after every item: cut, at any rate, or late', async () => {
    const books = new Books(TOPIC);
    await begin(books);
    const readers: Reader[] = [];
    const add = async (options: object = {}) => {
      for (const encoding of ['json', 'msgpack'] as const)
        readers.push(await new Reader(TOPIC, encoding, options).start(pair.node(readers.length)));
    };
    for (const maxRateHz of [undefined, 1, 5, 20]) await add(maxRateHz === undefined ? {} : { maxRateHz });
    const byRate = readers.length;
    await add();
    await add({ maxRateHz: 5 });
    const cut = readers.slice(byRate);
    const step = CHANGES / 20;
    for (let n = 0; n < CHANGES; n += step) {
      await publishSome(books, step);
      const one = cut[Math.floor(Math.random() * cut.length)] as Reader;
      await one.cut();
      await one.start(pair.node(Math.floor(Math.random() * 2)));
      if (n % (5 * step) === 0) await add();
    }
    for (const reader of readers) {
      await reader.has(books.offset);
      expect(reader.follower).toMatchObject({ gaps: 0, wrong: 0, all: books.all });
    }
    const total = (of: 'checks' | 'patches' | 'pairs' | 'conflated' | 'continued') =>
      readers.reduce((sum, { follower }) => sum + follower[of], 0);
    expect(total('checks')).toBeGreaterThan(1000);
    expect(total('pairs')).toBeGreaterThan(0);
    expect(total('conflated')).toBeGreaterThan(0);
    expect(total('continued')).toBeGreaterThan(0);
  });

  it('have the right checksum after every item for readers that are too slow for all of them', async () => {
    const books = new Books(LARGE_TOPIC, LARGE_CHARS);
    await begin(books);
    const readers = await Promise.all(
      (['json', 'msgpack', 'json', 'msgpack'] as const).map((encoding, i) => new Reader(LARGE_TOPIC, encoding).start(pair.node(i))),
    );
    for (const { client } of readers) client.pause();
    while ((await pair.metric('stentor_connections_lagging')) < readers.length) await publishSome(books, 50);
    await publishSome(books, 50);
    for (const { client } of readers) client.resume();
    await publishSome(books, 50);
    for (const reader of readers) {
      await reader.has(books.offset);
      expect(reader.follower).toMatchObject({ gaps: 0, wrong: 0, all: books.all });
      expect(reader.client.messages.find(({ type }) => type === 'lagged')).toMatchObject({ policy: 'conflate' });
    }
  });
});
