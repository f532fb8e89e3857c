import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { encodeUser } from '../../src/protocol/user-topic.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { type TokenOptions, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = { user: { durable: false, clientPublish: true }, open: { durable: false, public: true } };

describe('users on two nodes and one nats-server', () => {
  let nats: NatsServer;
  let producer: NatsConnection;
  const nodes: TestNode[] = [];

  beforeAll(async () => {
    nats = await startNatsServer();
    producer = await connect({ servers: nats.url });
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
  });
  afterAll(async () => {
    await producer?.close();
    await nats?.stop();
  });

  async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
    const node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': nats.url, ...settings });
    nodes.push(node);
    return node;
  }

  async function connected(node: TestNode, options: TokenOptions = {}): Promise<TestClient> {
    const client = await node.connect({ encoding: 'json', token: await tokenOf({ subscribe: [], publish: [], ...options }) });
    await client.next('connected');
    return client;
  }

  const received = (client: TestClient) =>
    client.messages.flatMap((message) => (message.type === 'batch' ? message.items.map((item) => item[2]) : []));

  describe('a topic of each user', () => {
    it('is named in `connected`, and permitted only to that user, even if a pattern covers it', async () => {
      const node = await start();
      const client = await node.connect({
        encoding: 'json',
        token: await tokenOf({ sub: 'ann@example.org', subscribe: ['>', '*.bob', 'user2.>'] }),
      });
      const { userTopic } = await client.next('connected');
      expect(userTopic).toBe('user.ann__aexample__dorg');
      await client.subscribe(userTopic!);
      for (const topic of ['user.bob', 'user', 'user.ann', `${userTopic}.more`]) {
        expect(await client.ask({ type: 'subscribe', topic })).toMatchObject({ type: 'error', code: 'forbidden' });
        expect(await client.ask({ type: 'history', topic })).toMatchObject({ type: 'error', code: 'forbidden' });
      }
      // Whose token names the namespace may read it.
      const support = await connected(node, { sub: 'support', subscribe: ['user.*'] });
      await support.subscribe('user.bob');
      const anonymous = await node.connect();
      expect((await anonymous.get('connected', { type: 'connect' })).userTopic).toBeUndefined();
      expect(await anonymous.ask({ type: 'subscribe', topic: 'user.bob' })).toMatchObject({ code: 'unauthorized' });
    });

    it.each([
      ['one by one', 10_000],
      ['with one subscription for all', 1],
    ])('reaches all connections of the user, from any node, and no other user: %s', async (_, userInterestMax) => {
      const pair = [
        await start({ 'tuning.hub.userInterestMax': userInterestMax }),
        await start({ 'tuning.hub.userInterestMax': userInterestMax }),
      ];
      const ann = 'auth0|ann.1';
      const topic = `user.${encodeUser(ann)}`;
      const clients: TestClient[] = [];
      for (const sub of ['carl', ann, 'bob', ann]) {
        for (const node of pair) {
          const client = await connected(node, { sub });
          await client.subscribe(sub === ann ? topic : `user.${sub}`);
          clients.push(client);
        }
      }
      const mine = [2, 3, 6, 7].map((i) => clients[i]!);
      const others = clients.filter((client) => !mine.includes(client));
      producer.publish(`feed.${topic}`, JSON.stringify('from NATS'));
      await Promise.all(mine.map((client) => client.until('NATS', () => received(client).length === 1)));
      await pair[0]!.running.publish({ topic, data: 'from a program' });
      await Promise.all(mine.map((client) => client.until('the program', () => received(client).length === 2)));
      const writer = await connected(pair[1]!, { sub: 'writer', publish: ['user.*'] });
      await writer.get('published', { type: 'publish', topic, data: 'from a client' });
      await Promise.all(mine.map((client) => client.until('the client', () => received(client).length === 3)));
      for (const client of mine) expect(received(client)).toEqual(['from NATS', 'from a program', 'from a client']);
      expect(await others[0]!.ask({ type: 'publish', topic, data: 1 })).toMatchObject({ code: 'forbidden' });
      await Promise.all(others.map((client) => client.settle()));
      for (const client of others) expect(received(client)).toEqual([]);
    });
  });

  it('have their topic in the SDK without naming it, and another one after reconnecting as another user', async () => {
    const node = await start();
    let sub = 'ann@example.org';
    const client = createClient({
      url: node.url,
      token: () => tokenOf({ sub, subscribe: [] }),
    });
    const failed = createClient({ url: node.url });
    try {
      const items: unknown[] = [];
      let subscriptions = 0;
      const stop = client.user({ onSubscribed: () => void subscriptions++ }).subscribe(({ data }) => items.push(data));
      await until('the subscription', () => subscriptions === 1);
      producer.publish('feed.user.ann__aexample__dorg', '1');
      await until('an item', () => items.length === 1);
      sub = 'bob';
      await client.close();
      void client.connect();
      await until('the other subscription', () => subscriptions === 2);
      producer.publish('feed.user.ann__aexample__dorg', '2');
      producer.publish('feed.user.bob', '3');
      await until('another item', () => items.length === 2);
      expect(items).toEqual([1, 3]);
      stop();
      await node.untilMetric('stentor_subscriptions', (count) => count === 0);
      expect(await new Promise((resolve) => failed.user({ onError: ({ code }) => resolve(code) }).subscribe(() => undefined))).toBe(
        'invalid',
      );
    } finally {
      await Promise.all([client.close(), failed.close()]);
    }
  });

  describe('a limit on the connections of each user', () => {
    it('closes the oldest connection on any node, with 4008', async () => {
      const pair = [await start({ 'limits.connectionsPerUserMax': 2 }), await start({ 'limits.connectionsPerUserMax': 2 })];
      const clients: TestClient[] = [];
      for (const node of [0, 1, 0, 1, 1]) clients.push(await connected(pair[node]!));
      for (const client of clients.slice(0, 3)) expect(await client.closed).toMatchObject({ code: 4008 });
      for (const client of clients.slice(3)) await client.settle();
      // Another user has its own limit, and anonymous clients have none.
      await connected(pair[0]!, { sub: 'bob' });
      await Promise.all([1, 2, 3].map(() => pair[0]!.connect()));
      for (const client of clients.slice(3)) await client.settle();
    });

    it('comes from the token if the token has one', async () => {
      const pair = [await start({ 'limits.connectionsPerUserMax': 1 }), await start({ 'limits.connectionsPerUserMax': 1 })];
      const feeds: TestClient[] = [];
      for (let i = 0; i < 6; i++) feeds.push(await connected(pair[i % 2]!, { sub: 'feed', connectionsMax: 4 }));
      for (const client of feeds.slice(0, 2)) expect(await client.closed).toMatchObject({ code: 4008 });
      for (const client of feeds.slice(2)) await client.settle();
    });

    it('refuses the newest with too_many_connections and 4008, if so configured', async () => {
      const settings = { 'limits.connectionsPerUserMax': 2, 'limits.tooManyConnections': 'refuse' };
      const pair = [await start(settings), await start(settings)];
      const first = await connected(pair[0]!);
      const second = await connected(pair[1]!);
      const third = await pair[0]!.connect({ encoding: 'json' });
      const answer = await third.ask({ type: 'connect', token: await tokenOf() });
      expect(answer).toMatchObject({ type: 'error', code: 'too_many_connections', retryable: false });
      expect(await third.closed).toMatchObject({ code: 4008 });
      const withUpgrade = await pair[1]!.connect({ encoding: 'json', token: await tokenOf() });
      expect(await withUpgrade.closed).toMatchObject({ code: 4008 });
      // The SDK says the same, and does not try again.
      const sdk = createClient({ url: pair[0]!.url, token: () => tokenOf() });
      await expect(sdk.connect()).rejects.toBeDefined();
      expect(sdk.state).toMatchObject({ status: 'disconnected', reason: { code: 4008 } });
      await first.settle();
      await second.close();
      await until('room for another', async () => {
        const client = await pair[0]!.connect({ encoding: 'json' });
        const message = await client.ask({ type: 'connect', token: await tokenOf() });
        return message.type === 'connected';
      });
    });

    it('counts an anonymous client from the moment it sends the user’s token', async () => {
      const node = await start({ 'limits.connectionsPerUserMax': 1 });
      const before = await connected(node);
      const client = await node.connect();
      await client.get('connected', { type: 'connect' });
      await client.get('refreshed', { type: 'refresh', token: await tokenOf() });
      expect(await before.closed).toMatchObject({ code: 4008 });
    });

    it('counts no connections of a node that has ended', async () => {
      const pair = [await start({ 'limits.connectionsPerUserMax': 2 }), await start({ 'limits.connectionsPerUserMax': 2 })];
      const [stays, gone] = [await connected(pair[0]!), await connected(pair[1]!)];
      void gone;
      await pair[1]!.stop();
      nodes.splice(1);
      const next = await connected(pair[0]!);
      await stays.settle();
      await next.settle();
    });

    it('applies per node while NATS is away', async () => {
      const own = await startNatsServer();
      const settings = { 'limits.connectionsPerUserMax': 2, 'nats.url': own.url };
      const pair = [await start(settings), await start(settings)];
      try {
        await own.halt();
        await Promise.all(pair.map((node) => until('NATS to be away', () => !node.bus.connected)));
        const clients: TestClient[] = [];
        for (const node of [0, 1, 0, 1, 0]) clients.push(await connected(pair[node]!));
        expect(await clients[0]!.closed).toMatchObject({ code: 4008 });
        for (const client of clients.slice(1)) await client.settle();
        await own.restart();
        await Promise.all(pair.map((node) => until('NATS to be back', () => node.bus.connected)));
        // It applies to all nodes when NATS is back.
        for (const client of clients.slice(1, 3)) expect(await client.closed).toMatchObject({ code: 4008 });
        for (const client of clients.slice(3)) await client.settle();
      } finally {
        for (const node of nodes.splice(0)) await node.stop();
        await own.stop();
      }
    });
  });
});
