import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { copyStore } from '../support/store-copy.ts';
import type { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const NAMESPACES = { scores: { public: true }, ticks: { public: true, state: 'keyed' } };

const nodes: TestNode[] = [];
const servers: NatsServer[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(): Promise<NatsServer> {
  const server = await startNatsServer();
  servers.push(server);
  return server;
}

async function start(server: NatsServer, settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': server.url, ...settings });
  nodes.push(node);
  return node;
}

async function stop(node: TestNode): Promise<void> {
  nodes.splice(nodes.indexOf(node), 1);
  await node.stop();
}

const connected = (node: TestNode) => until('the bus to be connected', () => node.bus.connected);

async function follow(client: TestClient, ...topics: string[]): Promise<void> {
  for (const topic of topics) {
    client.track(topic);
    await client.subscribe(topic, { snapshot: true });
  }
}

/** Publishes without a node. */
async function publishTo(server: NatsServer, subject: string, count: number): Promise<void> {
  const nc = await connect({ servers: server.url });
  for (let i = 0; i < count; i++) await jetstream(nc).publish(subject, JSON.stringify(`other ${i}`));
  await nc.close();
}

describe('a log whose store is restored from an older copy', () => {
  it('while nodes run: every client of every node is told to resync, and continues with what is there', async () => {
    const server = await serve();
    const [one, two] = await Promise.all([start(server), start(server)]);
    await one.publish('scores.a', 'kept');
    await one.publish('ticks.a', 'kept', { key: 'K' });
    const copy = await copyStore(server);
    await Promise.all([one, two].map(connected));
    const clients = await Promise.all([one.connect(), two.connect({ encoding: 'msgpack' })]);
    for (const client of clients) await follow(client, 'scores.a', 'scores.quiet', 'ticks.a');
    const before = clients[0].track('scores.a').epoch;
    await one.publish('scores.a', 'lost');
    await one.publish('ticks.a', 'lost', { key: 'K' });
    await one.publish('ticks.a', 'lost', { key: 'L' });
    for (const client of clients) await client.until('the lost key', () => client.track('ticks.a').state.get('L') === 'lost');
    await copy.restore();
    for (const client of clients) {
      for (const topic of ['scores.a', 'scores.quiet', 'ticks.a']) await client.next('resync', (message) => message.topic === topic);
    }
    await two.publish('scores.a', 'new');
    await two.publish('ticks.a', 'new', { key: 'M' });
    for (const client of clients) {
      await client.until('the new key', () => client.track('ticks.a').state.get('M') === 'new');
      await client.until('the new item', () => client.track('scores.a').state.get(null) === 'new');
      expect([...client.track('ticks.a').state]).toEqual([
        ['K', 'kept'],
        ['M', 'new'],
      ]);
      const { gaps, duplicates, epoch } = client.track('scores.a');
      expect({ gaps, duplicates }).toEqual({ gaps: 0, duplicates: 0 });
      expect(epoch).not.toBe(before);
      expect(epoch).toBe(clients[0].track('scores.a').epoch);
    }
    expect(await one.metric('stentor_topics_resynced_total', { topic_namespace: 'scores' })).toBe(2);
  });

  it('and has grown past what clients have before the nodes see it: it is not mistaken for the old one', async () => {
    const server = await serve();
    const node = await start(server);
    await node.publish('scores.a', 'kept');
    const copy = await copyStore(server);
    await connected(node);
    const client = await node.connect();
    await follow(client, 'scores.a');
    const timed = await node.connect();
    await timed.subscribe('scores.a', { timestamps: true });
    await node.publish('scores.a', 'lost');
    await client.until('what will be lost', () => client.track('scores.a').state.get(null) === 'lost');
    await copy.restore(async () => {
      // On another port, so that it grows before the node sees it.
      const elsewhere = await startNatsServer({ storeDir: server.storeDir, port: freePort() });
      await publishTo(elsewhere, 'feed.scores.a', 5);
      await elsewhere.stop();
    });
    const resync = await client.next('resync');
    expect(resync).toMatchObject({ offset: 6, items: [[6, null, 'other 4']] });
    expect((await timed.next('resync')).items).toEqual([[6, null, 'other 4', { publishedAtMs: expect.any(Number) }]]);
    await node.publish('scores.a', 'new');
    await client.until('the new one', () => client.track('scores.a').state.get(null) === 'new');
    expect(client.track('scores.a').items.map(({ data }) => data)).toEqual(['kept', 'lost', 'other 4', 'new']);
  });

  it('while the topic has no subscriber: a client that reconnects with a position gets the state', async () => {
    const server = await serve();
    const node = await start(server, { 'tuning.hub.topicLingerMs': 0 });
    await node.publish('scores.a', 'kept');
    const copy = await copyStore(server);
    await connected(node);
    const client = await node.connect();
    await follow(client, 'scores.a');
    await node.publish('scores.a', 'lost');
    await client.until('what will be lost', () => client.track('scores.a').last === 2);
    const { epoch, last: offset } = client.track('scores.a');
    await client.close();
    await node.untilMetric('stentor_topics', (topics) => topics === 0);
    await copy.restore();
    await publishTo(server, 'feed.scores.a', 5);
    const again = await (await node.connect()).subscribe('scores.a', { since: { epoch, offset } });
    expect(again).toMatchObject({ recovered: false, offset: 6, items: [[6, null, 'other 4']] });
    expect(again.epoch).not.toBe(epoch);
  });

  it('while every node is down: a client that reconnects with a position gets the state', async () => {
    const server = await serve();
    const node = await start(server);
    await node.publish('scores.a', 'kept');
    const copy = await copyStore(server);
    await connected(node);
    const client = await node.connect();
    await follow(client, 'scores.a');
    await node.publish('scores.a', 'lost');
    await client.until('what will be lost', () => client.track('scores.a').last === 2);
    const { epoch, last: offset } = client.track('scores.a');
    await stop(node);
    await copy.restore();
    await publishTo(server, 'feed.scores.a', 5);
    const fresh = await start(server);
    const again = await (await fresh.connect()).subscribe('scores.a', { since: { epoch, offset } });
    expect(again).toMatchObject({ recovered: false, offset: 6, items: [[6, null, 'other 4']] });
    expect(again.epoch).not.toBe(epoch);
  });
});

describe('a log that is deleted', () => {
  it('is recreated, and its clients start over', async () => {
    const server = await serve();
    const node = await start(server);
    const client = await node.connect();
    await follow(client, 'scores.a');
    await node.publish('scores.a', 'gone');
    await client.until('the first', () => client.track('scores.a').last === 1);
    const { epoch } = client.track('scores.a');
    const nc = await connect({ servers: server.url });
    await (await jetstreamManager(nc)).streams.delete('stentor-scores');
    await nc.close();
    expect(await client.next('resync')).toMatchObject({ offset: 0, items: [] });
    await node.publish('scores.a', 'new');
    await client.until('the new one', () => client.track('scores.a').state.get(null) === 'new');
    expect(client.track('scores.a').last).toBe(1);
    expect(client.track('scores.a').epoch).not.toBe(epoch);
  });
});

describe('a server that is killed and restarts with its store', () => {
  it('continues in the same epoch, also for clients that reconnect afterwards', async () => {
    const server = await serve();
    const node = await start(server);
    const stays = await node.connect();
    await follow(stays, 'scores.a');
    await node.publish('scores.a', 1);
    await stays.until('the first', () => stays.track('scores.a').last === 1);
    const since = { epoch: stays.track('scores.a').epoch, offset: 1 };
    await server.kill9();
    const waiting = node.publish('scores.a', 2);
    await server.restart();
    await waiting;
    await stays.until('the second', () => stays.track('scores.a').last === 2);
    const later = await start(server);
    expect(await (await later.connect()).subscribe('scores.a', { since })).toMatchObject({ recovered: true, items: [[2, null, 2]] });
    expect(stays.track('scores.a').resyncs).toEqual([]);
  });
});
