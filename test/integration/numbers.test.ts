import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodePair } from '../support/node-pair.ts';

const NAMESPACES = {
  exact: { public: true, clientPublish: true, numbers: 'text' },
  keyed: { public: true, state: 'keyed', numbers: 'text' },
  books: { public: true, state: 'document', numbers: 'text' },
  plain: { public: true },
};
const PAYLOAD = '{"price":0.10,"size":1.5,"id":8389765929445198309,"many":0.1234567890123456789,"n":7,"text":"1.0"}';
const TEXTS = { price: '0.10', size: 1.5, id: '8389765929445198309', many: '0.1234567890123456789', n: 7, text: '1.0' };

describe('a namespace with numbers: text', () => {
  let pair: NodePair;
  beforeAll(async () => {
    pair = await NodePair.start({ namespaces: NAMESPACES });
  });
  afterAll(() => pair?.stop());

  const publish = (subject: string, payload: string) => jetstream(pair.program).publish(subject, payload);

  describe.each(['msgpack', 'json'] as const)('in %s', (encoding) => {
    it.each([
      ['exact', ''],
      ['keyed', '.A'],
      ['books', ''],
    ])('gives what a producer wrote: live, in the state and in the history (%s)', async (namespace, key) => {
      const topic = `${namespace}.${encoding}`;
      const { client } = await pair.client(pair.two, 'ann', encoding);
      const tracker = client.track(topic);
      await client.subscribe(topic);
      await publish(`feed.${topic}${key}`, PAYLOAD);
      await client.until('it', () => tracker.items.length === 1);
      expect(tracker.items[0]?.data).toEqual(TEXTS);
      const { client: late } = await pair.client(pair.one, 'bob', encoding);
      const { items } = await late.subscribe(topic, { snapshot: true });
      expect(items[0]?.[2]).toEqual(TEXTS);
      const history = await late.get('history', { type: 'history', topic, last: 1 });
      expect(history.items[0]?.[2]).toEqual(TEXTS);
    });

    it('gives doubles, and integers exactly, without the option', async () => {
      const topic = `plain.${encoding}`;
      const { client } = await pair.client(pair.two, 'ann', encoding);
      const tracker = client.track(topic);
      await client.subscribe(topic);
      await publish(`feed.${topic}`, PAYLOAD);
      await client.until('it', () => tracker.items.length === 1);
      const id = encoding === 'msgpack' ? 8389765929445198309n : '8389765929445198309';
      expect(tracker.items[0]?.data).toEqual({ ...TEXTS, price: 0.1, id, many: 0.12345678901234568 });
    });
  });

  it('gives the integers of a client as text too', async () => {
    const { client } = await pair.client(pair.one, 'ann', 'msgpack');
    const tracker = client.track('exact.client');
    await client.subscribe('exact.client');
    await client.get('published', { type: 'publish', topic: 'exact.client', data: { id: 8389765929445198309n, price: 0.1 } });
    await client.until('it', () => tracker.items.length === 1);
    expect(tracker.items[0]?.data).toEqual({ id: '8389765929445198309', price: 0.1 });
  });
});
