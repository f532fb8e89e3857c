import { afterEach, describe, expect, it } from 'vitest';
import { documentOptions } from '../../src/client/document.ts';
import { createClient } from '../../src/client/index.ts';
import type { Item } from '../../src/client/item.ts';
import { TestNode } from '../support/node.ts';
import { until } from '../support/until.ts';

interface Book {
  readonly bids: Readonly<Record<string, string>>;
  readonly status?: string;
}

const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

describe('a topic with a document for each key, in the SDK,', () => {
  async function start() {
    const books = { public: true, state: 'keyed', patch: true, slowConsumer: 'conflate' };
    const node = await TestNode.start({ namespaces: { books } });
    closings.push(() => node.stop());
    const client = createClient({ url: node.url });
    closings.push(() => client.close());
    await client.connect();
    return { node, client };
  }

  it('gives each item the whole document of its key, and keeps them all', async () => {
    const { node, client } = await start();
    await node.publish('books.a', { bids: { '1.10': '5' } }, { key: 'BTC', image: true });
    await node.publish('books.a', { bids: { '2.10': '5' } }, { key: 'ETH', image: true });
    const topic = client.topic<Book>('books.a', documentOptions());
    const items: Item<Book>[] = [];
    topic.subscribe((item) => void items.push(item));
    await until('the state', () => items.length === 2);
    await node.publish('books.a', { bids: { '1.10': null, '1.20': '7' } }, { key: 'BTC' });
    await until('a change', () => items.length === 3);
    const [btc, eth, changed] = items as [Item<Book>, Item<Book>, Item<Book>];
    expect(changed).toMatchObject({ key: 'BTC', data: { bids: { '1.20': '7' } }, source: 'live', removed: false });
    expect(changed.patch).toEqual({ patch: { bids: { '1.10': null, '1.20': '7' } } });
    // Documents never change: a change makes another one.
    expect(btc.data).toEqual({ bids: { '1.10': '5' } });
    expect(topic.documentOf('BTC')).toBe(changed.data);
    expect(topic.documentOf('ETH')).toBe(eth.data);
    expect(topic.document).toBeUndefined();
    await node.publish('books.a', null, { key: 'BTC' });
    await until('the removal', () => items.length === 4);
    expect([topic.documentOf('BTC'), topic.documentOf('ETH')]).toEqual([undefined, eth.data]);
  });

  it('has the document of one key alone', async () => {
    const { node, client } = await start();
    await node.publish('books.a', { bids: {} }, { key: 'BTC', image: true });
    const topic = client.topic<Book>('books.a', documentOptions({ key: 'BTC' }));
    const items: Item<Book>[] = [];
    topic.subscribe((item) => void items.push(item));
    await until('the state', () => items.length === 1);
    await node.publish('books.a', { status: 'open' }, { key: 'ETH', image: true });
    await node.publish('books.a', { status: 'open' }, { key: 'BTC' });
    await until('a change', () => items.length === 2);
    expect(topic.document).toEqual({ bids: {}, status: 'open' });
  });
});
