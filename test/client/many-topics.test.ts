import { unpack } from 'msgpackr';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Client, type ClientOptions, type Item } from '../../src/client/index.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

const FAST = { baseMs: 2, maxMs: 50, jitterMs: 5, stableAfterMs: 0 };
const NAMES = Array.from({ length: 1000 }, (_, n) => `open.t${n}`);

let node: TestNode;
let proxy: TestProxy;
const clients: Client[] = [];
/** What clients have sent, decoded: one entry a message. */
let sent: unknown[] = [];

class Counting extends WebSocket {
  override send(frame: Uint8Array): void {
    sent.push(unpack(frame));
    super.send(frame);
  }
}

async function start(settings: Record<string, unknown> = {}): Promise<Client> {
  sent = [];
  node = await TestNode.start({ namespaces: { open: { public: true, maxPayloadBytes: 1024 } }, ...settings });
  proxy = await TestProxy.start(node.running.port);
  const options: ClientOptions = { url: `ws://127.0.0.1:${proxy.port}/ws`, backoff: FAST, WebSocket: Counting as never };
  const made = new Client(options);
  clients.push(made);
  void made.connect();
  return made;
}
afterEach(async () => {
  await Promise.all(clients.splice(0).map((one) => one.close()));
  await proxy.stop();
  await node.stop();
});

const arrays = () => sent.filter((message) => Array.isArray(message)) as { type: string }[][];

describe('many topics on one connection', () => {
  it('are subscribed in few messages, also after each reconnect, with nothing missed', async () => {
    const client = await start();
    const items: Item<{ n: number }>[] = [];
    let subscribed = 0;
    client.topics<{ n: number }>(NAMES, { onSubscribed: () => subscribed++ }).subscribe((item) => items.push(item));
    await until('all topics to be subscribed', () => subscribed === 1000);
    expect(sent.length).toBeLessThanOrEqual(3);
    expect(arrays().flat()).toHaveLength(1000);
    for (const name of ['open.t0', 'open.t999']) await node.publish(name, { n: 1 });
    await until('the first items', () => items.length === 2);
    proxy.cut();
    sent = [];
    for (const name of ['open.t0', 'open.t500', 'open.t999']) await node.publish(name, { n: 2 });
    await until('all topics to be back', () => subscribed === 2000);
    // Two of them have positions to say.
    expect(sent.length).toBeLessThanOrEqual(4);
    await until('what was missed', () => items.length >= 4);
    const of = (name: string) => items.filter(({ topic }) => topic === name).map(({ data }) => data.n);
    expect([of('open.t0'), of('open.t999')]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('go out in as many messages as their bytes need', async () => {
    const client = await start({ 'limits.messageBytesMax': 4096 });
    let subscribed = 0;
    client.topics(NAMES, { onSubscribed: () => subscribed++ }).subscribe(() => {});
    await until('all topics to be subscribed', () => subscribed === 1000);
    expect(arrays().flat()).toHaveLength(1000);
    expect(arrays().length).toBeGreaterThan(5);
    expect(client.state.status).toBe('connected');
  });

  it('are sent one per message to a server without arrays, and no faster than any server accepts commands', async () => {
    const client = await start({ 'tuning.commands.commandsPerMessageMax': 1, 'limits.messagesPerSecondMax': 10_000 });
    let subscribed = 0;
    client.topics(NAMES.slice(0, 100), { onSubscribed: () => subscribed++ }).subscribe(() => {});
    await until('all topics to be subscribed', () => subscribed === 100);
    expect(arrays()).toEqual([]);
    await client.close();
    await proxy.stop();
    await node.stop();
    const slow = await start({ 'tuning.commands.commandsPerSecondMax': 300 });
    subscribed = 0;
    slow.topics(NAMES, { onSubscribed: () => subscribed++ }).subscribe(() => {});
    await until('all topics to be subscribed', () => subscribed === 1000);
    expect(await node.metric('stentor_errors_total')).toBe(0);
  });

  it('call back once for each item, also if a topic is in the list twice', async () => {
    const client = await start();
    let subscribed = 0;
    const items: Item<{ n: number }>[] = [];
    const list = client.topics<{ n: number }>(['open.t1', 'open.t2', 'open.t1'], { onSubscribed: () => subscribed++ });
    list.subscribe((item) => items.push(item));
    await until('the topics to be subscribed', () => subscribed === 2);
    for (const n of [1, 2]) for (const name of ['open.t1', 'open.t2']) await node.publish(name, { n });
    const of = (name: string) => items.filter(({ topic }) => topic === name).map(({ data }) => data.n);
    await until('the last items', () => of('open.t1').includes(2) && of('open.t2').includes(2));
    expect([of('open.t1'), of('open.t2')]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(list.topics.map(({ name }) => name)).toEqual(['open.t1', 'open.t2']);
  });

  it('stop together, and are refused together when one of them is subscribed to otherwise', async () => {
    const client = await start();
    const stop = client.topics(NAMES.slice(0, 10)).subscribe(() => {});
    await until('topics at the node', async () => (await node.metric('stentor_subscriptions')) === 10);
    stop();
    await until('no topics at the node', async () => (await node.metric('stentor_subscriptions')) === 0);
    client.topic('open.t5', { snapshot: true }).subscribe(() => {});
    const others = client.topics(NAMES.slice(0, 10), (name) => (name === 'open.t5' ? { maxRateHz: 1 } : {}));
    expect(() => others.subscribe(() => {})).toThrow(expect.objectContaining({ name: 'InvalidError' }));
    expect(others.topics.filter(({ isActive }) => isActive)).toEqual([]);
  });
});
