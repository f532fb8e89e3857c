import { afterEach, beforeEach, expect, it } from 'vitest';
import { Client, type ClientOptions } from '../../src/client/index.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import { TopicRecorder } from './cases/case-context.ts';

const KEYS = 1000;
const PAD = 'x'.repeat(300);
const ITEM_BYTES = PAD.length + 30;
/** A sixth of what the state needs: without frames that count, and time-outs that run from the last of them, it would never come. */
const REQUEST_TIMEOUT_MS = 600;
const BYTES_PER_SECOND = (KEYS * ITEM_BYTES) / ((REQUEST_TIMEOUT_MS * 6) / 1000);

let node: TestNode;
let proxy: TestProxy;
let client: Client;

function start(options: Partial<ClientOptions> = {}): Client {
  client = new Client({ url: `ws://127.0.0.1:${proxy.port}/ws`, requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options });
  return client;
}

beforeEach(async () => {
  const namespaces = { keyed: { public: true, state: 'keyed', clientPublish: true }, open: { public: true } };
  node = await TestNode.start({ namespaces });
  proxy = await TestProxy.start(node.running.port);
});
afterEach(async () => {
  await client.close();
  await proxy.stop();
  await node.stop();
});

async function fill(topic: string, keyed: boolean): Promise<void> {
  for (let n = 1; n <= KEYS; n++) await node.publish(topic, { n, text: PAD }, keyed ? { key: `k${n}` } : {});
}
const subscribes = () => node.metric('stentor_messages_in_total', { type: 'subscribe' });

it('delivers a state that takes six times the request timeout, and requests it once', async () => {
  await fill('keyed.a', true);
  proxy.downBytesPerSecond = BYTES_PER_SECOND;
  const recorder = new TopicRecorder(start(), 'keyed.a', { snapshot: true });
  void client.connect();
  await until('the first part', () => recorder.items.length > 0);
  // Told when all of it is there, not with the first part.
  expect(recorder.subscribed).toBe(0);
  const late = new TopicRecorder(client, 'keyed.a', { snapshot: true });
  await until('all of the state', () => recorder.subscribed === 1 && late.subscribed === 1);
  expect(recorder.numbers).toEqual(Array.from({ length: KEYS }, (_, n) => n + 1));
  expect(late.numbers).toEqual(recorder.numbers);
  expect(new Set([...recorder.items, ...late.items].map(({ source }) => source))).toEqual(new Set(['snapshot']));
  expect([client.stats().disconnects, await subscribes()]).toEqual([0, 1]);
  proxy.reset();
  await node.publish('keyed.a', { n: KEYS + 1 }, { key: 'k1' });
  await recorder.reaches(KEYS + 1);
  expect(recorder.items.at(-1)?.source).toBe('live');
});

it('continues with a state where it was when the connection breaks in the middle of it', async () => {
  await fill('keyed.b', true);
  proxy.downBytesPerSecond = BYTES_PER_SECOND * 4;
  const recorder = new TopicRecorder(start({ backoff: { baseMs: 2, maxMs: 50, jitterMs: 5 } }), 'keyed.b', { snapshot: true });
  void client.connect();
  await until('some parts', () => recorder.items.length > KEYS / 4);
  proxy.cut();
  await until('all of the state', () => recorder.subscribed === 1);
  expect(recorder.numbers).toEqual(Array.from({ length: KEYS }, (_, n) => n + 1));
  expect([recorder.resyncs, client.stats().disconnects, await subscribes()]).toEqual([[], 1, 2]);
});

it('returns a long history as one answer, however long its parts take', async () => {
  await fill('open.c', false);
  await start().connect();
  proxy.downBytesPerSecond = BYTES_PER_SECOND;
  const { items, complete, more } = await client.history<{ n: number }>('open.c', { last: KEYS });
  expect(items.map(({ data }) => data.n)).toEqual(Array.from({ length: KEYS }, (_, n) => n + 1));
  expect([complete, more]).toEqual([true, false]);
  expect(await node.metric('stentor_messages_in_total', { type: 'history' })).toBe(1);
});

it('fails a request when nothing at all arrives for its timeout', async () => {
  await start({ pongTimeoutMs: 60_000 }).connect();
  proxy.swallowing = true;
  await expect(client.history('open.d')).rejects.toMatchObject({ code: 'timeout' });
});
