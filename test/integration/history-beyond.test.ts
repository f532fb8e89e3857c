import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';

const NAMESPACES = {
  scores: { public: true },
  ticks: { public: true, state: 'keyed' },
  books: { public: true, state: 'document' },
};

describe.each(['memory', 'nats'])('history since a position that the log never had (%s)', (bus) => {
  let nats: NatsServer | undefined;
  let node: TestNode;

  beforeAll(async () => {
    if (bus === 'nats') nats = await startNatsServer();
    node = await TestNode.start({ namespaces: NAMESPACES, ...(nats && { 'nats.url': nats.url }) });
  });
  afterAll(async () => {
    await node?.stop();
    await nats?.stop();
  });

  it.each(Object.keys(NAMESPACES).flatMap((namespace) => [`${namespace}.followed`, `${namespace}.quiet`]))(
    'is not complete, as subscribe with it is not recovered, and complete at its end: %s',
    async (topic) => {
      const key = topic.startsWith('ticks') ? { key: 'k' } : {};
      const client = await node.connect({ encoding: 'json' });
      // The namespace of a topic that nobody follows may still not be followed by the node.
      const { epoch } = topic.endsWith('followed')
        ? await client.subscribe(topic)
        : await client.get('history', { type: 'history', topic });
      const { offset } = await node.publish(topic, { n: 1 }, { ...key, ...(topic.startsWith('books') && { image: true }) });
      const http = async (at: number, more = '') => {
        const answer = await fetch(`http://127.0.0.1:${node.running.port}/history?topic=${topic}&epoch=${epoch}&offset=${at}${more}`);
        return answer.json();
      };
      const ask = (at: number, more = {}) => client.get('history', { type: 'history', topic, since: { epoch, offset: at }, ...more });
      for (const answer of [await ask(offset), await http(offset)])
        expect(answer).toMatchObject({ epoch, offset, complete: true, items: [] });

      for (const beyond of [offset + 1, offset + 1_000_000]) {
        const never = { epoch, offset: 0, complete: false, more: false, items: [] };
        expect(await ask(beyond)).toMatchObject(never);
        expect(await http(beyond)).toMatchObject(never);
        expect(await ask(beyond, { toMs: Date.now() + 1000 })).toMatchObject(never);
        expect(await http(beyond, `&toMs=${Date.now() + 1000}`)).toMatchObject(never);
        const other = await node.connect({ encoding: 'json' });
        expect(await other.get('subscribed', { type: 'subscribe', topic, since: { epoch, offset: beyond } })).toMatchObject({
          recovered: false,
        });
        await other.close();
      }
      // What comes then is not taken for what followed it.
      const next = await node.publish(topic, { n: 2 }, key);
      expect(await ask(next.offset)).toMatchObject({ offset: next.offset, complete: true, items: [] });
      expect(await ask(offset)).toMatchObject({ complete: true, offset: next.offset });
    },
  );
});
