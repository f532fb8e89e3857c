import { afterEach, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/index.ts';
import { freePort } from '../support/free-port.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { copyStore } from '../support/store-copy.ts';
import { until } from '../support/until.ts';

const NAMESPACES = { scores: { public: true }, ticks: { public: true, state: 'keyed', history: { maxCount: 10 } } };

const nodes: TestNode[] = [];
const servers: NatsServer[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  for (const server of servers.splice(0)) await server.stop();
});

async function start(server: NatsServer, settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': server.url, ...settings });
  nodes.push(node);
  return node;
}

async function stopAll(): Promise<void> {
  for (const node of nodes.splice(0)) await node.stop();
}

async function serve(binary?: string): Promise<NatsServer> {
  const server = await startNatsServer(binary === undefined ? {} : { binary });
  servers.push(server);
  return server;
}

/** What a client has of a topic now. */
async function positionOf(node: TestNode, topic: string): Promise<{ epoch: string; offset: number }> {
  const client = await node.connect();
  const { epoch, offset } = await client.subscribe(topic);
  return { epoch, offset };
}

describe.each(natsServerBinaries())('when all nodes and NATS were down, and the files are as they were (%s)', (binary) => {
  it.each(['orderly', 'kill -9'] as const)('clients go on where they were (%s)', async (way) => {
    const server = await serve(binary);
    let node = await start(server);
    const client = await node.connect();
    await client.subscribe('scores.a');
    await client.subscribe('ticks.a');
    for (let n = 1; n <= 3; n++) await node.publish('scores.a', n);
    await node.publish('ticks.a', 1, { key: 'K' });
    await client.until(
      'all of it',
      () => client.messages.filter(({ type }) => type === 'batch').length > 0 && client.track('ticks.a').items.length === 1,
    );
    const [scores, ticks] = [await positionOf(node, 'scores.a'), await positionOf(node, 'ticks.a')];
    expect(scores.offset).toBeGreaterThan(0);
    for (let round = 0; round < 2; round++) {
      await stopAll();
      if (way === 'kill -9') await server.kill9();
      await server.restart();
      node = await start(server);
      await node.publish('scores.a', 4 + round);
      const back = await node.connect();
      const answer = await back.subscribe('scores.a', { since: scores });
      expect(answer).toMatchObject({ recovered: true });
      expect(answer.items.map(([, , data]) => data)).toEqual([4, 5].slice(0, round + 1));
      expect(await back.subscribe('ticks.a', { since: ticks })).toMatchObject({ recovered: true, items: [] });
      // What it was told is a position in its turn.
      const again = await back.subscribe('scores.a', { since: { epoch: answer.epoch, offset: answer.offset } });
      expect(again).toMatchObject({ recovered: true, items: [] });
    }
  });

  it('an application of the SDK gets no resync, and misses nothing', async () => {
    const server = await serve(binary);
    const port = freePort();
    let node = await start(server, { port });
    const client = new Client({ url: node.url });
    await client.connect();
    const items: unknown[] = [];
    const resyncs: unknown[] = [];
    const topic = client.topic('scores.sdk', { onResync: (resync) => void resyncs.push(resync) });
    const stop = topic.subscribe(({ data }) => void items.push(data));
    try {
      await until('the subscription', () => topic.position !== undefined);
      await node.publish('scores.sdk', 1);
      await until('the first', () => items.length === 1);
      await stopAll();
      await server.restart();
      node = await start(server, { port });
      await node.publish('scores.sdk', 2);
      await until('the second', () => items.length === 2);
      expect({ items, resyncs }).toEqual({ items: [1, 2], resyncs: [] });
    } finally {
      stop();
      await client.close();
    }
  });

  it('clients start over after a loss caused by an older copy of the files', async () => {
    const server = await serve(binary);
    let node = await start(server);
    await node.publish('scores.a', 'kept');
    const early = await positionOf(node, 'scores.a');
    await stopAll();
    const copy = await copyStore(server);
    node = await start(server);
    await node.publish('scores.a', 'lost');
    const late = await positionOf(node, 'scores.a');
    await stopAll();
    await copy.restore();
    node = await start(server);
    for (let n = 0; n < 3; n++) await node.publish('scores.a', n);
    const client = await node.connect();
    // The copy has all that the early one has; nothing is known of the late one's life.
    const fromEarly = await client.subscribe('scores.a', { since: early });
    expect(fromEarly.recovered).toBe(true);
    expect(fromEarly.items.map(([, , data]) => data)).toEqual([0, 1, 2]);
    expect(await client.subscribe('scores.a', { since: late })).toMatchObject({ recovered: false });
  });
});
