import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { DeltaFolder } from '../support/delta-folder.ts';
import { textOf } from '../support/document-fixtures.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { ProcessPair } from '../support/process-pair.ts';
import type { TestClient } from '../support/test-client.ts';
import { TopicTracker } from '../support/topic-tracker.ts';

const NAMESPACES = {
  ticks: { public: true, state: 'keyed', delta: 'fields', slowConsumer: 'conflate', maxPayloadBytes: 60_000 },
  match: { public: true, delta: 'fields', maxPayloadBytes: 60_000 },
};
const TOPICS = ['ticks.nasdaq', 'match.one'];
const KEYS = ['AAPL', 'MSFT', 'BRK'];
const PUBLICATIONS = 3000;
const LARGE_CHARS = 30_000;
const RATES = [undefined, 1, 5, 20];

/** Its own values by number, so that a client can tell which one it has, and whether it has all of it. */
class Values {
  readonly #published = new Map<number, string>();
  #n = 0;
  #value: Record<string, unknown> = { list: [1, null], still: 'x'.repeat(200) };

  next(more: object = {}): unknown {
    const roll = Math.random();
    const { bid: _, ...rest } = this.#value;
    const bid = roll < 0.05 ? null : roll < 0.6 ? (Math.random() * 100).toFixed(2) : this.#value.bid;
    const book = roll < 0.1 ? 'closed' : { [`${Math.floor(Math.random() * 5)}`]: roll.toFixed(2) };
    this.#value = { ...rest, ...(roll < 0.9 && { bid }), book: roll < 0.5 ? book : (this.#value.book ?? book), n: ++this.#n, ...more };
    // As JSON has it, without members that are undefined.
    this.#published.set(this.#n, textOf(JSON.parse(JSON.stringify(this.#value))));
    return this.#value;
  }

  isOne(value: unknown): boolean {
    return this.#published.get((value as { n: number }).n) === textOf(value);
  }
}

/** A client of one node, which may be cut and go on at another. */
class Reader {
  readonly topic: string;
  readonly tracker: TopicTracker;
  readonly folder = new DeltaFolder();
  client!: TestClient;
  checks = 0;
  wrong = 0;
  readonly #values: Values;
  readonly #encoding: 'json' | 'msgpack';
  readonly #options: object;
  #seen = 0;

  constructor(topic: string, values: Values, encoding: 'json' | 'msgpack', options: object) {
    this.topic = topic;
    this.tracker = new TopicTracker(topic);
    this.#values = values;
    this.#encoding = encoding;
    this.#options = options;
  }

  async start(node: NodeProcess): Promise<this> {
    this.client = await node.connect({ encoding: this.#encoding });
    this.#seen = 0;
    const { epoch, last: offset } = this.tracker;
    const since = epoch === '' ? {} : { since: { epoch, offset } };
    await this.client.get('subscribed', { type: 'subscribe', topic: this.topic, delta: true, ...this.#options, ...since });
    return this;
  }

  take(): this {
    for (; this.#seen < this.client.messages.length; this.#seen++) {
      const message = this.client.messages[this.#seen] as ServerMessage;
      if (!('topic' in message) || message.topic !== this.topic) continue;
      this.tracker.receive(this.folder.whole(message, this.tracker.last));
      for (const { data } of this.tracker.items.splice(0)) {
        this.checks++;
        if (!this.#values.isOne(data)) this.wrong++;
      }
    }
    return this;
  }

  async cut(): Promise<void> {
    this.take();
    await this.client.close();
    this.take();
  }

  has(offset: number): Promise<void> {
    return this.client.until(`offset ${offset} of ${this.topic}`, () => this.take().tracker.last >= offset);
  }
}

describe('values as changes over two nodes with two workers each', () => {
  let pair: ProcessPair;
  beforeAll(async () => {
    pair = await ProcessPair.start({ namespaces: NAMESPACES, 'heartbeat.pingIntervalMs': 600_000 });
  });
  afterAll(() => pair?.stop());

  /** Of every key its own values; a topic without keys has one. */
  const feedOf = (topic: string) => {
    const keys = topic.startsWith('ticks') ? KEYS.map((key) => `.${key}`) : [''];
    const values = new Values();
    const publish = async (more: object = {}) => {
      const key = keys[Math.floor(Math.random() * keys.length)];
      return (await jetstream(pair.producer).publish(`feed.${topic}${key}`, JSON.stringify(values.next(more)))).seq;
    };
    return { topic, values, publish, offset: 0 };
  };

  it('are whole after every item, and one that was published: cut, at any rate, or late', async () => {
    const feeds = TOPICS.map(feedOf);
    for (const feed of feeds) feed.offset = await feed.publish();
    const readers: Reader[] = [];
    const add = async (options: object = {}) => {
      for (const { topic, values } of feeds) {
        for (const encoding of ['json', 'msgpack'] as const) {
          readers.push(await new Reader(topic, values, encoding, options).start(pair.node(readers.length)));
        }
      }
    };
    for (const maxRateHz of RATES) await add(maxRateHz === undefined ? {} : { maxRateHz });
    const byRate = readers.length;
    await add();
    const cut = readers.slice(byRate);
    const step = PUBLICATIONS / 20;
    for (let n = 0; n < PUBLICATIONS; n += step) {
      await Promise.all(
        feeds.map(async (feed) => {
          feed.offset = (await Promise.all(Array.from({ length: step }, () => feed.publish()))).at(-1) ?? 0;
        }),
      );
      const one = cut[Math.floor(Math.random() * cut.length)] as Reader;
      await one.cut();
      await one.start(pair.node(Math.floor(Math.random() * 2)));
      if (n % (5 * step) === 0) await add();
    }
    for (const reader of readers) {
      await reader.has(feeds.find(({ topic }) => topic === reader.topic)?.offset ?? 0);
      expect({ wrong: reader.wrong, gaps: reader.tracker.gaps }).toEqual({ wrong: 0, gaps: 0 });
    }
    const total = (of: (reader: Reader) => number) => readers.reduce((sum, reader) => sum + of(reader), 0);
    expect(total(({ checks }) => checks)).toBeGreaterThan(1000);
    expect(total(({ folder }) => folder.patches)).toBeGreaterThan(1000);
    expect(total(({ folder }) => folder.pairs)).toBeGreaterThan(0);
    expect(total(({ folder }) => folder.wholes)).toBeGreaterThan(100);
    expect(total(({ tracker }) => tracker.conflated)).toBeGreaterThan(0);
  });

  it('are whole for readers that are too slow for all of them', async () => {
    const feed = feedOf('ticks.large');
    await feed.publish();
    const readers = await Promise.all(
      (['json', 'msgpack', 'json', 'msgpack'] as const).map((encoding, i) =>
        new Reader(feed.topic, feed.values, encoding, {}).start(pair.node(i)),
      ),
    );
    const publishSome = async () => {
      for (let n = 0; n < 50; n++) feed.offset = await feed.publish({ note: `${n}`.repeat(LARGE_CHARS / 2) });
    };
    for (const { client } of readers) client.pause();
    while ((await pair.metric('stentor_connections_lagging')) < readers.length) await publishSome();
    for (const { client } of readers) client.resume();
    await publishSome();
    for (const reader of readers) {
      await reader.has(feed.offset);
      expect({ wrong: reader.wrong, gaps: reader.tracker.gaps }).toEqual({ wrong: 0, gaps: 0 });
      expect(reader.client.messages.find(({ type }) => type === 'lagged')).toMatchObject({ policy: 'conflate' });
    }
  });

  it('begin with the state where a subscription changes to them, and are refused with echo: false', async () => {
    const feed = feedOf('match.change');
    await feed.publish();
    const client = await pair.node(0).connect({ encoding: 'json' });
    expect((await client.get('subscribed', { type: 'subscribe', topic: feed.topic })).items).toEqual([]);
    const changed = await client.get('subscribed', { type: 'subscribe', topic: feed.topic, delta: true });
    expect(feed.values.isOne(changed.items[0]?.[2])).toBe(true);
    expect(await client.ask({ type: 'subscribe', topic: feed.topic, delta: true, echo: false })).toMatchObject({ code: 'unsupported' });
  });
});
