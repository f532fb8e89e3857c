import { afterEach, describe, expect, it } from 'vitest';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { Refused, type TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  scores: { public: true },
  ticks: { public: true, state: 'keyed', history: { maxCount: 10 } },
  passing: { public: true, durable: false },
};

const nodes: TestNode[] = [];
const servers: NatsServer[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(binary?: string): Promise<NatsServer> {
  const server = await startNatsServer(binary === undefined ? {} : { binary });
  servers.push(server);
  return server;
}

async function start(server: NatsServer, settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': server.url, ...settings });
  nodes.push(node);
  return node;
}

const isReady = async (node: TestNode) => (await node.admin('/health/ready')).status === 200;
const readyBecomes = (node: TestNode, wanted: boolean) => until(`ready: ${wanted}`, async () => (await isReady(node)) === wanted);
const toldAway = (client: TestClient) => client.next('feed', ({ live, topic }) => !live && topic === undefined);
const toldLive = (client: TestClient) => client.next('feed', ({ live, topic }) => live && topic === undefined);

for (const binary of natsServerBinaries()) {
  describe(`when NATS goes away and comes back (${binary})`, () => {
    it.each(['kill', 'hang'] as const)('by a %s, clients are told and stay, and miss nothing', async (way) => {
      const server = await serve(binary);
      const node = await start(server);
      const [json, msgpack] = await Promise.all([node.connect(), node.connect({ encoding: 'msgpack' })]);
      for (const client of [json, msgpack]) {
        client.track('scores.a');
        client.track('ticks.a');
        await client.subscribe('scores.a');
        await client.subscribe('ticks.a');
        await client.subscribe('passing.a');
      }
      await node.publish('scores.a', 1);
      if (way === 'kill') await server.kill9();
      else server.signal('SIGSTOP');
      await Promise.all([json, msgpack].map(toldAway));
      await readyBecomes(node, false);
      // A closed topic cannot be opened; an open topic can be joined.
      expect(await json.ask({ type: 'subscribe', topic: 'scores.new' })).toMatchObject({ code: 'unavailable', retryable: true });
      const late = await node.connect();
      await toldAway(late);
      await late.subscribe('scores.a');
      expect(await json.ask({ type: 'history', topic: 'scores.new' })).toMatchObject({ code: 'unavailable' });

      const waiting = [2, 3].map((n) => node.publish('scores.a', n));
      waiting.push(node.publish('ticks.a', 'x', { key: 'K' }));
      if (way === 'kill') await server.restart();
      else server.signal('SIGCONT');
      await Promise.all(waiting);
      for (const client of [json, msgpack]) {
        await client.until(
          'what was published meanwhile',
          () => client.track('scores.a').state.get(null) === 3 || client.track('scores.a').items.length === 3,
        );
        await client.until('the key', () => client.track('ticks.a').state.get('K') === 'x');
      }
      await readyBecomes(node, true);
      await Promise.all([json, msgpack, late].map(toldLive));
      await json.subscribe('scores.new');
      await node.publish('passing.a', 'ephemeral');
      for (const client of [json, msgpack]) {
        await client.next('batch', ({ topic }) => topic === 'passing.a');
        expect(client.track('scores.a')).toMatchObject({ gaps: 0, duplicates: 0, resyncs: [] });
        expect(
          client
            .track('scores.a')
            .items.map(({ data }) => data)
            .sort(),
        ).toEqual([1, 2, 3]);
      }
    });
  });
}

describe('when NATS goes away', () => {
  it('for less than the grace time, no client is told', async () => {
    const server = await serve();
    const node = await start(server, { 'tuning.nats.awayGraceMs': 60_000 });
    const client = await node.connect();
    await client.subscribe('scores.a');
    await server.kill9();
    await readyBecomes(node, false);
    await server.restart();
    await readyBecomes(node, true);
    await node.publish('scores.a', 1);
    await client.next('batch');
    await client.settle();
    expect(client.messages.some(({ type }) => type === 'error' || type === 'feed')).toBe(false);
  });

  it('and the config says close, clients are told to reconnect elsewhere, and others are refused until it is back', async () => {
    const server = await serve();
    const node = await start(server, { 'nats.whenAway': 'close' });
    const client = await node.connect();
    await client.subscribe('scores.a');
    await server.kill9();
    expect(await client.next('closing')).toMatchObject({ code: 4104, reconnectAfterMs: { min: 0 } });
    expect(await client.closed).toEqual({ code: 4104, reason: 'broker unavailable' });
    const refused = await node.connect().catch((error) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) } });
    await server.restart();
    await readyBecomes(node, true);
    const again = await until('to be let in', () => node.connect());
    await again.subscribe('scores.a');
  });

  it('with 3,000 connections, all are told', async () => {
    const server = await serve();
    const node = await start(server);
    const clients: TestClient[] = [];
    for (let i = 0; i < 3000; i += 100) clients.push(...(await Promise.all(Array.from({ length: 100 }, () => node.connect()))));
    await server.kill9();
    await Promise.all(clients.map(toldAway));
    await server.restart();
    await readyBecomes(node, true);
    await Promise.all(clients.map(toldLive));
  });

  it('repeatedly, clients are told once each time that it is away, and once that the feed is live again', async () => {
    const server = await serve();
    const node = await start(server);
    const client = await node.connect();
    await client.subscribe('scores.a');
    for (let time = 0; time < 2; time++) {
      await server.kill9();
      await toldAway(client);
      await server.restart();
      await toldLive(client);
      await node.publish('scores.a', time);
      await client.next('batch');
    }
    const told = client.messages.filter(({ type }) => type === 'feed').map((message) => 'live' in message && message.live);
    expect(told).toEqual([false, true, false, true]);
  });

  it('while a client connects with a token, that client is told as well', async () => {
    const server = await serve();
    const node = await start(server);
    await server.kill9();
    await readyBecomes(node, false);
    const token = await tokenOf();
    const late = await until('a client that is told', async () => {
      const client = await node.connect({ encoding: 'json', token });
      await client.settle();
      return client.messages.some((message) => message.type === 'feed') ? client : undefined;
    });
    expect(late.messages.filter(({ type }) => type === 'feed')).toEqual([{ type: 'feed', live: false, reason: expect.any(String) }]);
    await server.restart();
    await toldLive(late);
    // Who comes after that is told nothing.
    const later = await node.connect({ encoding: 'json', token });
    await later.subscribe('scores.a');
    expect(later.messages.some(({ type }) => type === 'feed')).toBe(false);
  });
});
