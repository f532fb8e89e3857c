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

type Sent = { readonly type: string; readonly topics?: unknown[] };
/** How many topics a message subscribes to. */
const topicsIn = ({ type, topics }: Sent) => (type === 'subscribe' ? 1 : (topics?.length ?? 0));
const commandsIn = (messages: unknown[]) => messages.flat().reduce((sum: number, message) => sum + topicsIn(message as Sent), 0);

describe('many topics on one connection', () => {
  it('are subscribed in few messages, also after each reconnect, with nothing missed', async () => {
    const client = await start();
    const items: Item<{ n: number }>[] = [];
    let subscribed = 0;
    client.topics<{ n: number }>(NAMES, { onSubscribed: () => subscribed++ }).subscribe((item) => items.push(item));
    await until('all topics to be subscribed', () => subscribed === 1000);
    expect(sent.length).toBeLessThanOrEqual(3);
    expect(commandsIn(sent)).toBe(1000);
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

  it('come back with a thousand positions in one message, which is answered by one', async () => {
    const client = await start({ 'tuning.commands.commandsPerSecondMax': 10_000 });
    let subscribed = 0;
    client.topics(NAMES, { snapshot: true, onSubscribed: () => subscribed++ }).subscribe(() => {});
    await until('all topics to be subscribed', () => subscribed === 1000);
    for (const name of NAMES) await node.publish(name, { n: 1 });
    await until('the last item', () => client.stats().items === 1000);
    // Somebody else keeps the topics open at the node.
    const other = new Client({ url: `ws://127.0.0.1:${node.running.port}/ws` });
    clients.push(other);
    void other.connect();
    let others = 0;
    other.topics(NAMES, { onSubscribed: () => others++ }).subscribe(() => {});
    await until('the other client to be subscribed', () => others === 1000);
    sent = [];
    const { framesIn } = client.stats();
    proxy.cut();
    await until('all topics to be back', () => subscribed === 2000);
    const commands = sent.filter((message) => !['connect', 'ping'].includes((message as { type: string }).type));
    expect(commands).toEqual([{ type: 'subscribeMany', snapshot: true, epoch: expect.any(String), topics: expect.any(Array) }]);
    // Also `connected`, and the answer to a ping.
    expect(client.stats().framesIn - framesIn).toBeLessThanOrEqual(3);
    expect(client.stats()).toMatchObject({ items: 1000, gaps: 0, resyncs: 0 });
  });

  it('come back beside one another in messages as large as the server accepts, if their names are long', async () => {
    const client = await start({ 'limits.messageBytesMax': 16_384, 'tuning.commands.commandsPerSecondMax': 10_000 });
    const names = NAMES.map((name) => `${name}.${'x'.repeat(64)}.${'y'.repeat(64)}`);
    let subscribed = 0;
    client.topics(names, { onSubscribed: () => subscribed++ }).subscribe(() => {});
    await until('all topics to be subscribed', () => subscribed === 1000);
    proxy.cut();
    sent = [];
    await until('all topics to be back', () => subscribed === 2000);
    expect(commandsIn(sent)).toBe(1000);
    // 160 KB.
    expect(sent.length).toBeLessThanOrEqual(14);
    expect(client.state.status).toBe('connected');
  });

  it('go out in as many messages as their bytes need', async () => {
    const client = await start({ 'limits.messageBytesMax': 4096 });
    let subscribed = 0;
    client.topics(NAMES, { onSubscribed: () => subscribed++ }).subscribe(() => {});
    await until('all topics to be subscribed', () => subscribed === 1000);
    expect(commandsIn(sent)).toBe(1000);
    expect(sent.length).toBeGreaterThan(5);
    expect(client.state.status).toBe('connected');
  });

  it('are sent one per message to a server without arrays, and no faster than any server accepts commands', async () => {
    const client = await start({ 'tuning.commands.commandsPerMessageMax': 1, 'limits.messagesPerSecondMax': 10_000 });
    let subscribed = 0;
    client.topics(NAMES.slice(0, 100), { onSubscribed: () => subscribed++ }).subscribe(() => {});
    await until('all topics to be subscribed', () => subscribed === 100);
    expect(sent.filter((message) => Array.isArray(message) || topicsIn(message as Sent) > 1)).toEqual([]);
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
