import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { deltaOptions, documentOptions } from '../../src/client/document.ts';
import { type Client, createClient, type Item } from '../../src/client/index.ts';
import { TestNode } from '../support/node.ts';
import { type Book, BookGenerator, isRight } from '../support/order-book.ts';
import { TestProxy } from '../support/proxy.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  books: { clientPublish: true, state: 'document', maxPayloadBytes: 60_000 },
  short: { public: true, state: 'document', history: { maxCount: 2 } },
};

interface Position {
  readonly bids?: Readonly<Record<string, string>>;
  readonly status?: string;
}

describe('a topic with documentOptions', () => {
  let node: TestNode;
  const clients: Client[] = [];
  let topics = 0;
  const newTopic = () => `books.t${topics++}`;

  beforeAll(async () => {
    node = await TestNode.start({ namespaces: NAMESPACES });
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await node?.stop();
  });

  function connect(url = node.url): Client {
    const client = createClient({ url, token: () => tokenOf({ sub: 'ann' }) });
    clients.push(client);
    return client;
  }

  const publish = (topic: string, data: unknown, image = false) => node.publish(topic, data, { image });

  it('delivers the document with each change of it, and never changes one that it has delivered', async () => {
    const client = connect();
    const name = newTopic();
    await client.publish(name, { bids: { '1.10': '5' }, asks: {} }, { image: true });
    const topic = client.topic<Position>(name, documentOptions());
    const got: Item<Position>[] = [];
    topic.subscribe((item) => got.push(item));
    await until('the state', () => got.length === 1);
    await client.publish(name, { bids: { '1.20': '7', '1.10': null }, status: 'open' });
    await client.publish(name, { status: 'halted' });
    await until('the changes', () => got.length === 3);
    expectTypeOf(topic.document).toEqualTypeOf<Position | undefined>();
    expect(got.map(({ data, source, patch }) => ({ data, source, patch: patch?.patch }))).toEqual([
      { data: { bids: { '1.10': '5' }, asks: {} }, source: 'snapshot', patch: undefined },
      {
        data: { bids: { '1.20': '7' }, asks: {}, status: 'open' },
        source: 'live',
        patch: { bids: { '1.20': '7', '1.10': null }, status: 'open' },
      },
      { data: { bids: { '1.20': '7' }, asks: {}, status: 'halted' }, source: 'live', patch: { status: 'halted' } },
    ]);
    expect(topic.document).toBe(got[2]?.data);
    expect(got[2]?.data.bids).toBe(got[1]?.data.bids);
    await client.publish(name, null);
    await until('the removal', () => got.length === 4);
    expect([got[3]?.removed, topic.document]).toEqual([true, undefined]);
  });

  it('gives the whole document to a listener that joins later', async () => {
    const client = connect();
    const name = newTopic();
    const first = client.topic<Position>(name, documentOptions());
    first.subscribe(() => {});
    await publish(name, { a: 1 });
    await publish(name, { b: 1 });
    await until('both', () => Object.keys(first.document ?? {}).length === 2);
    const late: Item[] = [];
    client.topic(name, documentOptions()).subscribe((item) => late.push(item));
    await until('the state', () => late.length > 0);
    expect(late).toMatchObject([{ data: { a: 1, b: 1 }, source: 'snapshot', patch: undefined }]);
    expect(() => client.topic(name, { snapshot: true }).subscribe(() => {})).toThrow('"delta":true');
  });

  it('stays right over cuts, in a rate class too', async () => {
    const proxy = await TestProxy.start(node.running.port);
    const name = newTopic();
    const generator = new BookGenerator(40);
    await publish(name, generator.image().patch, true);
    const followed = [undefined, 5].map((maxRateHz) => {
      const topic = connect(`ws://127.0.0.1:${proxy.port}/ws`).topic<Book>(name, documentOptions({ maxRateHz }));
      const seen = { topic, checks: 0, wrong: 0, recovered: 0 };
      topic.subscribe(({ data, source }) => {
        seen.checks++;
        if (!isRight(data)) seen.wrong++;
        if (source === 'recovered') seen.recovered++;
      });
      return seen;
    });
    for (let round = 0; round < 6; round++) {
      await until('everybody to be live', () => followed.every(({ topic }) => topic.isLive));
      for (let n = 0; n < 200; n++) {
        const { patch, image } = generator.next();
        await publish(name, patch, image);
        if (n === 100) proxy.cut();
      }
    }
    for (const seen of followed) {
      await until('the end', () => seen.topic.document?.checksum === generator.book.checksum);
      expect(seen).toMatchObject({ wrong: 0, topic: { document: generator.book } });
      expect(seen.recovered).toBeGreaterThan(0);
    }
    await proxy.stop();
  });

  it('is told that the document is not known, and gets it when it is', async () => {
    const name = `short.t${topics++}`;
    for (let n = 0; n < 4; n++) await publish(name, { n });
    const states: unknown[] = [];
    const reasons: string[] = [];
    const topic = connect().topic(
      name,
      documentOptions({
        onSubscribed: ({ state }) => states.push(state),
        onResync: ({ reason, items }) => reasons.push(`${reason} ${items.length}`),
      }),
    );
    topic.subscribe(() => {});
    await until('the answer', () => states.length === 1);
    expect([states, topic.document]).toEqual([['unavailable'], undefined]);
    await publish(name, { whole: 1 }, true);
    await until('the document', () => topic.document !== undefined);
    expect([topic.document, reasons]).toEqual([{ whole: 1 }, ['the document is known again 1']]);
  });
});

describe('a topic with deltaOptions', () => {
  it('delivers whole values of every key, though only changes come', async () => {
    const node = await TestNode.start({
      namespaces: { ticks: { public: true, state: 'keyed', delta: 'fields' }, plain: { public: true, state: 'keyed' } },
    });
    const client = createClient({ url: node.url });
    const still = 'x'.repeat(100);
    for (const namespace of ['ticks', 'plain']) {
      const name = `${namespace}.a`;
      const publish = (key: string, data: unknown) => node.publish(name, data, { key });
      await publish('A', { bid: '1.10', still });
      const got: Item<unknown>[] = [];
      client.topic(name, deltaOptions()).subscribe((item) => got.push(item));
      await until('the state', () => got.length === 1);
      await publish('B', { bid: '7', still });
      await publish('A', { bid: '1.20', still });
      await publish('B', { bid: null, still });
      await publish('A', null);
      await publish('A', { bid: '3', still });
      await publish('A', { bid: '4', still });
      await until('all', () => got.length === 7);
      expect(got.map(({ key, data }) => [key, data])).toEqual([
        ['A', { bid: '1.10', still }],
        ['B', { bid: '7', still }],
        ['A', { bid: '1.20', still }],
        ['B', { bid: null, still }],
        ['A', null],
        ['A', { bid: '3', still }],
        ['A', { bid: '4', still }],
      ]);
      const patches = namespace === 'plain' ? [] : [{ bid: '1.20' }, { bid: '4' }];
      expect(got.flatMap(({ patch }) => (patch === undefined ? [] : [patch.patch]))).toEqual(patches);
    }
    await client.close();
    await node.stop();
  });
});
