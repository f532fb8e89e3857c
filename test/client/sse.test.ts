import { afterEach, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/index.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import { type TransportOptions, withSse } from '../../src/client/sse.ts';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { WebSocketBlocker } from '../support/websocket-blocker.ts';

const NAMESPACES = { room: { clientPublish: true }, open: { public: true }, brief: { public: true, durable: false } };

let node: TestNode;
let line: WebSocketBlocker;
const clients: Client[] = [];
afterEach(async () => {
  live.clear();
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await line?.stop();
  await node.stop();
});

async function start(settings: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const pings = { 'heartbeat.pingIntervalMs': 400, 'tuning.connections.pongTimeoutMs': 300 };
  node = await TestNode.start({ namespaces: NAMESPACES, ...pings, ...settings });
  line = await WebSocketBlocker.start(node.running.port);
}

function connectClient(options: Partial<ClientOptions & TransportOptions> = {}): { client: Client; used: string[] } {
  const used: string[] = [];
  const client = createClient(
    withSse({
      url: `ws://127.0.0.1:${line.port}/ws`,
      token: () => tokenOf({ sub: 'ann' }),
      backoff: { baseMs: 10, maxMs: 50, jitterMs: 10 },
      onTransport: (transport) => void used.push(transport),
      ...options,
    }),
  );
  clients.push(client);
  return { client, used };
}

const live = new Set<string>();
const numbersOf = (client: Client, topic: string, options = {}) => {
  const numbers: number[] = [];
  client
    .topic(topic, { ...options, onSubscribed: () => void live.add(topic) })
    .subscribe(({ data }) => void numbers.push((data as { n: number }).n));
  return numbers;
};

describe('a client whose network blocks WebSockets', () => {
  it('falls back to a stream after two failures, with its user, its publishes and its history', async () => {
    await start();
    const { client, used } = connectClient();
    const seen = numbersOf(client, 'room.a');
    await until('the stream', () => client.state.status === 'connected');
    expect(client.state).toMatchObject({ status: 'connected', user: 'ann' });
    expect([used, line.blocked]).toEqual([['websocket', 'sse'], 2]);
    await until('the subscription', () => live.has('room.a'));
    expect(await client.publish('room.a', { n: 1 }, { idempotencyKey: 'once' })).toMatchObject({ duplicate: false, offset: 1 });
    expect(await client.publish('room.a', { n: 1 }, { idempotencyKey: 'once' })).toMatchObject({ duplicate: true, offset: 1 });
    await until('the item', () => seen.length === 1);
    expect(seen).toEqual([1]);
    await expect(client.publish('open.a', 1)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(client.call('anything')).rejects.toMatchObject({ code: 'unsupported' });
    const replay = { fromMs: 0, speed: 1, onItem: () => expect.unreachable() };
    await expect(client.topic('room.a').history(replay)).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('gets every number once and in order, while topics come and go and the line is cut', async () => {
    await start();
    const { client } = connectClient({ transports: ['sse'] });
    const seen = numbersOf(client, 'open.a');
    await until('the subscription', () => live.has('open.a'));
    let published = 0;
    let isOver = false;
    const producing = (async () => {
      while (!isOver) {
        await node.publish('open.a', { n: published++ });
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    for (let round = 0; round < 6; round++) {
      const others = numbersOf(client, `open.other-${round}`, { snapshot: true });
      await node.publish(`open.other-${round}`, { n: round });
      await until('the other topic', () => others.includes(round));
      line.cut();
      const before = seen.length;
      await until('more of it', () => seen.length > before + 10);
    }
    isOver = true;
    await producing;
    await until('everything', () => seen.length >= published);
    expect(seen).toEqual(Array.from({ length: published }, (_, n) => n));
  });

  it('is refused a pattern and one key, which a stream cannot have, and its topics go on', async () => {
    await start();
    const { client } = connectClient({ transports: ['sse'] });
    const refused: unknown[] = [];
    const onError = ({ code }: { code: string }) => void refused.push(code);
    const seen = numbersOf(client, 'open.a');
    for (const topic of [client.topic('open.*', { onError }), client.topic('open.a', { key: 'k', onError })]) topic.subscribe(() => {});
    await until('the refusals', () => refused.length === 2);
    // Left before its refusal has been read.
    client.topic('open.a', { key: 'k', onError }).subscribe(() => {})();
    await until('the subscription', () => live.has('open.a'));
    await node.publish('open.a', { n: 1 });
    await until('the item', () => seen.length === 1);
    expect([refused, client.state.status]).toEqual([['unsupported', 'unsupported'], 'connected']);
  });

  it('has no more topics in a stream than the server permits', async () => {
    await start({ 'tuning.http.topicsPerStreamMax': 2 });
    const { client } = connectClient({ transports: ['sse'] });
    const topics = Array.from({ length: 5 }, (_, n) => `open.t-${n}`);
    const seen = topics.map((topic) => numbersOf(client, topic));
    await until('the subscriptions', () => live.size === topics.length);
    for (const topic of topics) await node.publish(topic, { n: 1 });
    await until('the items', () => seen.every((numbers) => numbers.length === 1));
    expect([client.state.status, await node.metric('stentor_connections')]).toEqual(['connected', 3]);
  });

  it('tries again where something in between refuses its streams', async () => {
    await start();
    line.isRefusing = true;
    const { client } = connectClient({ transports: ['sse'] });
    await until('two refusals', () => line.refused >= 2);
    expect(client.state.status).toBe('connecting');
    line.isRefusing = false;
    await until('the stream', () => client.state.status === 'connected');
  });

  it('stops for good where its token is refused', async () => {
    await start();
    const { client } = connectClient({ transports: ['sse'], token: 'no.token.this' });
    await until('the end', () => client.state.status === 'disconnected');
    expect(client.state).toMatchObject({ reason: { code: 4001 } });
  });

  it('uses WebSockets again when they are not blocked any more', async () => {
    await start();
    const { client, used } = connectClient();
    numbersOf(client, 'open.a');
    await until('the subscription', () => live.has('open.a'));
    line.isBlocking = false;
    line.cut();
    await until('a WebSocket', () => used.at(-1) === 'websocket' && client.state.status === 'connected');
    expect(used).toEqual(['websocket', 'sse', 'websocket']);
  });
});

describe('a client whose network lets WebSockets through', () => {
  it('never uses a stream', async () => {
    await start();
    line.isBlocking = false;
    const { client, used } = connectClient();
    await until('connected', () => client.state.status === 'connected');
    expect(used).toEqual(['websocket']);
  });
});
