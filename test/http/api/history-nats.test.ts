import { afterAll, beforeAll, expect, it } from 'vitest';
import { type NatsServer, startNatsServer } from '../../support/nats-server.ts';
import { TestNode } from '../../support/node.ts';

let nats: NatsServer;
let node: TestNode;
beforeAll(async () => {
  nats = await startNatsServer();
  node = await TestNode.start({ 'nats.url': nats.url, namespaces: { scores: { public: true } } });
});
afterAll(async () => {
  await node?.stop();
  await nats?.stop();
});

it('the time of an item is a whole number of milliseconds, although NATS has nanoseconds, on both ports', async () => {
  const beforeMs = Date.now();
  for (let i = 0; i < 20; i++) await node.publish('scores.a', i);
  const times = async (url: string, read: (item: never) => number) => {
    const { items } = (await (await fetch(url)).json()) as { items: never[] };
    expect(items).toHaveLength(20);
    return items.map(read);
  };
  const { port, adminPort } = node.running;
  const ofAdmin = await times(
    `http://127.0.0.1:${adminPort}/api/history?topic=scores.a&limit=20`,
    ({ publishedAtMs }: { publishedAtMs: number }) => publishedAtMs,
  );
  const ofClients = await times(
    `http://127.0.0.1:${port}/history?topic=scores.a&last=20&timestamps=true`,
    ([, , , { publishedAtMs }]: [number, null, number, { publishedAtMs: number }]) => publishedAtMs,
  );
  expect(ofAdmin.every((ms) => Number.isInteger(ms) && ms >= beforeMs - 1)).toBe(true);
  expect(ofClients).toEqual(ofAdmin);
});
