import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOptions } from '../../src/client/document.ts';
import { createClient, type Item } from '../../src/client/index.ts';
import type { Encoding } from '../../src/protocol/codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { textOf } from '../support/document-fixtures.ts';
import { DocumentFollower } from '../support/document-follower.ts';
import { EventClient } from '../support/event-client.ts';
import { projected } from '../support/field-fixtures.ts';
import type { TestNode } from '../support/node.ts';
import { NodePair } from '../support/node-pair.ts';
import { type BookChange, BookGenerator } from '../support/order-book.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  books: { public: true, state: 'document', slowConsumer: 'conflate', maxPayloadBytes: 60_000 },
  scores: { public: true },
};
const SELECTIONS = [['/bids'], ['/status/phase', '/checksum'], ['/asks', '/status']];
const CHANGES = 2000;

let pair: NodePair;
let topics = 0;
const newTopic = () => `books.t${topics++}`;

beforeAll(async () => {
  pair = await NodePair.start({ namespaces: NAMESPACES, 'limits.selectionsPerTopicMax': 3 });
});
afterAll(() => pair?.stop());

const image = headers();
image.set('Stentor-Image', 'true');
const publish = async (topic: string, { patch, image: isImage }: BookChange) =>
  (await jetstream(pair.program).publish(`feed.${topic}`, JSON.stringify(patch), isImage ? { headers: image } : {})).seq;
const node = (n: number) => pair.both[n % 2] as TestNode;

/** A client of one node, which may be cut and go on at another. */
class Reader {
  readonly fields: string[];
  readonly follower: DocumentFollower;
  client!: TestClient;
  readonly #topic: string;
  readonly #encoding: Encoding;
  readonly #maxRateHz: number | undefined;

  constructor(topic: string, fields: string[], encoding: Encoding, maxRateHz: number | undefined, isRight: (document: unknown) => boolean) {
    this.fields = fields;
    this.follower = new DocumentFollower(topic, isRight);
    this.#topic = topic;
    this.#encoding = encoding;
    this.#maxRateHz = maxRateHz;
  }

  async start(at: TestNode): Promise<this> {
    this.client = await at.connect({ encoding: this.#encoding });
    const { epoch, offset } = this.follower;
    const since = offset < 0 ? {} : { since: { epoch, offset } };
    const rate = this.#maxRateHz === undefined ? {} : { maxRateHz: this.#maxRateHz };
    await this.client.get('subscribed', { type: 'subscribe', topic: this.#topic, fields: this.fields, ...rate, ...since });
    return this;
  }

  async cut(): Promise<void> {
    this.follower.take(this.client);
    await this.client.close();
    this.follower.take(this.client).reconnected();
  }
}

describe('fields of documents, over two nodes and NATS', () => {
  it('are at every moment those of a book that was published: cut, at any rate, in both encodings, or late', async () => {
    const topic = newTopic();
    const generator = new BookGenerator(30);
    /** The texts that a selection has ever had. */
    const known = SELECTIONS.map(() => new Set<string>());
    const noteBook = () => {
      for (const [at, fields] of SELECTIONS.entries()) known[at]?.add(textOf(projected(generator.book, fields)));
    };
    const next = (change: BookChange) => {
      noteBook();
      return publish(topic, change);
    };
    await next(generator.image());
    const readers: Reader[] = [];
    const add = async (maxRateHz?: number) => {
      for (const [at, fields] of SELECTIONS.entries())
        for (const encoding of ['json', 'msgpack'] as const) {
          const isRight = (document: unknown) => known[at]?.has(textOf(document)) === true;
          readers.push(await new Reader(topic, fields, encoding, maxRateHz, isRight).start(node(readers.length)));
        }
    };
    for (const rate of [5, 20, 100]) await add(rate);
    const rated = readers.length;
    await add();
    const cut = readers.slice(rated);
    const step = CHANGES / 20;
    for (let n = 0; n < CHANGES; n += step) {
      await Promise.all(Array.from({ length: step }, () => next(generator.next())));
      const one = cut[Math.floor(Math.random() * cut.length)] as Reader;
      await one.cut();
      await one.start(node(Math.floor(Math.random() * 2)));
      if (n % (5 * step) === 0) await add();
    }
    const total = (of: 'checks' | 'pairs' | 'conflated') =>
      readers.reduce((sum, { follower, client }) => sum + follower.take(client)[of], 0);
    // Whether a batch has two changes or a pair of them is a matter of time.
    await until('many batches, some of them conflated, and with pairs', async () => {
      await Promise.all(Array.from(generator.replacement(), next));
      return total('checks') > 300 && total('pairs') > 0 && total('conflated') > 0;
    });
    // It changes everything, so everybody gets it.
    await next({ ...generator.image(), image: true });
    for (const reader of readers) {
      const end = textOf(projected(generator.book, reader.fields));
      await reader.client.until('the last book', () => textOf(reader.follower.take(reader.client).document) === end);
      expect(reader.follower).toMatchObject({ gaps: 0, wrong: 0 });
    }
  });

  it('come without the patches that change none of them, which the next batch covers', async () => {
    const topic = newTopic();
    const send = (patch: object, isImage = false) => publish(topic, { patch, image: isImage });
    const first = await send({ best: { bid: 1, ask: 2 }, depth: 1 }, true);
    const client = await node(0).connect();
    const answer = await client.subscribe(topic, { fields: ['/best/bid'] });
    expect(answer).toMatchObject({ offset: first, items: [[first, null, { best: { bid: 1 } }]] });
    await send({ best: { ask: 3 }, depth: 2 });
    await send({ depth: 3 });
    const last = await send({ best: { bid: 4 } });
    const batch = await client.next('batch');
    expect(batch).toMatchObject({ prev: first, items: [[last, null, { best: { bid: 4 } }, { patch: true }]] });
    // Whoever missed only others missed nothing, at any node.
    await send({ depth: 4 });
    const other = await node(1).connect({ encoding: 'msgpack' });
    const back = await other.subscribe(topic, { fields: ['/best/bid'], since: { epoch: batch.epoch, offset: last } });
    expect(back.recovered).toBe(true);
    // It may get the whole, of which the other node has nothing else.
    for (const [, , data, meta] of back.items) expect(data).toEqual(meta?.patch ? { best: {} } : { best: { bid: 4 } });
  });

  it('select of the history: the document, its patches in the log, and over HTTP', async () => {
    const topic = newTopic();
    const first = await publish(topic, { patch: { best: { bid: 1, ask: 2 }, depth: 1 }, image: true });
    await publish(topic, { patch: { depth: 2 }, image: false });
    const third = await publish(topic, { patch: { best: { bid: 3 }, depth: 3 }, image: false });
    await publish(topic, { patch: { best: null }, image: false });
    const client = await node(0).connect();
    const fields = ['/best/bid'];
    const { epoch, offset } = await client.subscribe(topic, { fields });
    const ask = async (question: object) => (await client.get('history', { type: 'history', topic, fields, ...question })).items;
    expect(await ask({ since: { epoch, offset: 0 } })).toEqual([[offset, null, { best: {} }]]);
    const patches = [
      [third, null, { best: { bid: 3 } }, { patch: true }],
      [offset, null, { best: { bid: null } }, { patch: true }],
    ];
    expect(await ask({ last: 10 })).toEqual([[first, null, { best: { bid: 1 } }], ...patches]);
    // Nothing is known of the document before the first one, so it makes what leads to the members.
    expect(await ask({ last: 3 })).toEqual([[offset - 2, null, { best: {} }, { patch: true }], ...patches]);
    const response = await fetch(`http://127.0.0.1:${node(1).running.port}/history?topic=${topic}&last=10&fields=/best/bid&fields=/none`);
    expect(((await response.json()) as ServerMessage<'history'>).items).toEqual([[first, null, { best: { bid: 1 } }], ...patches]);
    expect(await client.ask({ type: 'history', topic, last: 1, fields: ['x'] })).toMatchObject({ code: 'bad_message' });
    expect(await client.ask({ type: 'history', topic: 'scores.x', last: 1, fields })).toMatchObject({ code: 'unsupported' });
  });

  it('change with the next subscribe, which begins with the state', async () => {
    const topic = newTopic();
    await publish(topic, { patch: { a: 1, b: 2 }, image: true });
    const client = await node(0).connect();
    const of = async (fields?: string[]) => (await client.subscribe(topic, fields && { fields })).items.map(([, , data]) => data);
    expect(await of(['/a'])).toEqual([{ a: 1 }]);
    expect(await of(['/b'])).toEqual([{ b: 2 }]);
    expect(await of()).toEqual([{ a: 1, b: 2 }]);
    expect(await of(['/a', '/b', '/a/c'])).toEqual([{ a: 1, b: 2 }]);
    // The same in another order is the same.
    expect(await of(['/b', '/a'])).toEqual([]);
  });

  it('are refused where there is no document, where a path is none, and where a topic has too many selections', async () => {
    const topic = newTopic();
    await publish(topic, { patch: { a: 1, b: 2, c: 3, d: 4 }, image: true });
    const client = await node(0).connect();
    const ask = async (more: object, to = topic) => {
      const { type, code, retryable } = (await client.ask({ type: 'subscribe', topic: to, ...more })) as ServerMessage<'error'>;
      return type === 'error' ? [code, retryable] : type;
    };
    expect(await ask({ fields: ['/a'] }, 'scores.x')).toEqual(['unsupported', false]);
    for (const fields of [
      [],
      ['a'],
      ['/~'],
      [''],
      'a',
      ['/a'.repeat(17)],
      ['/'.repeat(201)],
      Array.from({ length: 33 }, (_, n) => `/${n}`),
    ]) {
      expect([fields, await ask({ fields })]).toEqual([fields, ['bad_message', false]]);
    }
    const others = await Promise.all(['/a', '/b', '/c'].map(() => node(0).connect()));
    for (const [at, path] of ['/a', '/b', '/c'].entries()) await others[at]?.subscribe(topic, { fields: [path] });
    expect(await ask({ fields: ['/d'] })).toEqual(['too_many_selections', true]);
    expect(await ask({ fields: ['/c'] })).toBe('subscribed');
    expect(await ask({})).toBe('subscribed');
    // A refused change leaves what there was.
    expect(await ask({ fields: ['/a'] })).toBe('subscribed');
    expect(await ask({ fields: ['/d'] })).toEqual(['too_many_selections', true]);
    expect(await ask({ fields: ['/d'], since: { epoch: 'x', offset: 1 } })).toEqual(['too_many_selections', true]);
    const offset = await publish(topic, { patch: { a: 5 }, image: false });
    expect(await client.next('batch', ({ items }) => items.at(-1)?.[0] === offset)).toMatchObject({
      items: [[offset, null, { a: 5 }, {}]],
    });
    await others[1]?.get('unsubscribed', { type: 'unsubscribe', topic });
    expect(await ask({ fields: ['/d'] })).toBe('subscribed');
  });

  it('come over streams of events, and through the SDK', async () => {
    const topic = newTopic();
    await publish(topic, { patch: { best: { bid: 1, ask: 2 }, n: 1 }, image: true });
    const fields = ['/best/bid', '/n'];
    const stream = new EventClient(node(0).running.port, `/sse?topic=${topic}&fields=${fields.join('&fields=')}`);
    const client = createClient({ url: node(1).url, token: () => tokenOf({ sub: 'ann' }) });
    const got: Item[] = [];
    const book = client.topic(topic, documentOptions({ fields }));
    book.subscribe((item) => got.push(item));
    await until('the state', () => got.length === 1);
    await stream.next('subscribed');
    await publish(topic, { patch: { best: { ask: 3 } }, image: false });
    await publish(topic, { patch: { best: { bid: null, ask: 4 }, n: 2 }, image: false });
    await until('the change', () => got.length === 2);
    expect(got.map(({ data }) => data)).toEqual([
      { best: { bid: 1 }, n: 1 },
      { best: {}, n: 2 },
    ]);
    expect(got[1]?.patch).toEqual({ patch: { best: { bid: null }, n: 2 } });
    expect(book.document).toBe(got[1]?.data);
    await stream.next('batch');
    expect(stream.items(topic)).toMatchObject(
      [
        [1, null, { best: { bid: 1 }, n: 1 }],
        [expect.any(Number), null, { best: { bid: null }, n: 2 }, { patch: true }],
      ].map(([, ...rest]) => [expect.any(Number), ...rest]),
    );
    expect(() => client.topic(topic, documentOptions({ fields: ['/n'] })).subscribe(() => undefined)).toThrow('fields');
    expect(() => client.topic(topic, documentOptions({ fields: [] }))).toThrow('fields');
    await client.close();
    stream.socket.destroy();
  });
});
