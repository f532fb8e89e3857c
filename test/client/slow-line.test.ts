import { afterEach, beforeEach, expect, it } from 'vitest';
import { Client, type ClientOptions } from '../../src/client/index.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import { TopicRecorder } from './cases/case-context.ts';

const KEYS = 1000;
const PAD = 'x'.repeat(300);
/** A piece of a frame. */
const PIECE_BYTES = 4096;
const REQUEST_TIMEOUT_MS = 600;

let node: TestNode;
let proxy: TestProxy;
let client: Client;

function start(options: Partial<ClientOptions> = {}): Client {
  client = new Client({ url: `ws://127.0.0.1:${proxy.port}/ws`, ...options });
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
/** Lets pieces of what the server says pass, one after the other. */
async function passUntil(isEnough: () => boolean): Promise<void> {
  while (!isEnough()) {
    const bytes = proxy.bytesDown + PIECE_BYTES;
    proxy.allow(PIECE_BYTES);
    await until('a piece, or enough', () => proxy.bytesDown >= bytes || isEnough());
  }
}

const subscribes = () => node.metric('stentor_messages_in_total', { type: 'subscribe' });

it('delivers a state that comes piece by piece, and requests it once', async () => {
  await fill('keyed.a', true);
  proxy.hold();
  const recorder = new TopicRecorder(start(), 'keyed.a', { snapshot: true });
  void client.connect();
  await passUntil(() => recorder.items.length > 0);
  // Told when all of it is there, not with the first part.
  expect(recorder.subscribed).toBe(0);
  expect(recorder.items.length).toBeLessThan(KEYS);
  const late = new TopicRecorder(client, 'keyed.a', { snapshot: true });
  await passUntil(() => recorder.items.length > KEYS / 2);
  proxy.reset();
  await until('all of the state', () => recorder.subscribed === 1 && late.subscribed === 1);
  expect(recorder.numbers).toEqual(Array.from({ length: KEYS }, (_, n) => n + 1));
  expect(late.numbers).toEqual(recorder.numbers);
  expect(new Set([...recorder.items, ...late.items].map(({ source }) => source))).toEqual(new Set(['snapshot']));
  expect([client.stats().disconnects, await subscribes()]).toEqual([0, 1]);
  await node.publish('keyed.a', { n: KEYS + 1 }, { key: 'k1' });
  await recorder.reaches(KEYS + 1);
  expect(recorder.items.at(-1)?.source).toBe('live');
});

it('continues with a state where it was when the connection breaks in the middle of it', async () => {
  await fill('keyed.b', true);
  proxy.hold();
  const recorder = new TopicRecorder(start({ backoff: { baseMs: 2, maxMs: 50, jitterMs: 5 } }), 'keyed.b', { snapshot: true });
  void client.connect();
  await passUntil(() => recorder.items.length > KEYS / 4);
  expect(recorder.items.length).toBeLessThan(KEYS);
  proxy.cut();
  proxy.reset();
  await until('all of the state', () => recorder.subscribed === 1);
  expect(recorder.numbers).toEqual(Array.from({ length: KEYS }, (_, n) => n + 1));
  expect([recorder.resyncs, client.stats().disconnects, await subscribes()]).toEqual([[], 1, 2]);
});

it('returns a long history as one answer, however many parts it has', async () => {
  await fill('open.c', false);
  await start().connect();
  proxy.hold();
  const before = proxy.bytesDown;
  const answer = client.history<{ n: number }>('open.c', { last: KEYS });
  await passUntil(() => proxy.bytesDown - before > (KEYS * PAD.length) / 2);
  proxy.reset();
  const { items, complete, more } = await answer;
  expect(items.map(({ data }) => data.n)).toEqual(Array.from({ length: KEYS }, (_, n) => n + 1));
  expect([complete, more]).toEqual([true, false]);
  expect(await node.metric('stentor_messages_in_total', { type: 'history' })).toBe(1);
});

it('fails a request when nothing at all arrives for its timeout', async () => {
  await start({ pongTimeoutMs: 60_000, requestTimeoutMs: REQUEST_TIMEOUT_MS }).connect();
  proxy.swallowing = true;
  await expect(client.history('open.d')).rejects.toMatchObject({ code: 'timeout' });
});
