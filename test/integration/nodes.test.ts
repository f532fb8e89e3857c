import { afterEach, describe, expect, it } from 'vitest';
import type { NodesAnswer } from '../../src/http/api/schemas/nodes.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { NodeProcess } from '../support/node-process.ts';
import { until } from '../support/until.ts';

const NAMESPACES = { scores: { public: true } };
const nodes: (TestNode | NodeProcess)[] = [];
let server: NatsServer | undefined;

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  await server?.stop();
  server = undefined;
});

const settingsOf = (nodeId: string, more: Record<string, unknown> = {}) => {
  return { nodeId, namespaces: NAMESPACES, 'nats.url': server?.url ?? '', 'tuning.hub.announceIntervalMs': 50, ...more };
};

async function start(nodeId: string, more: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start(settingsOf(nodeId, more));
  nodes.push(node);
  return node;
}

async function nodesOf(node: TestNode): Promise<NodesAnswer['nodes']> {
  return ((await (await node.admin('/api/nodes')).json()) as NodesAnswer).nodes;
}

const namesOf = async (node: TestNode) => (await nodesOf(node)).map(({ nodeId }) => nodeId);
const knows = (node: TestNode, names: string[]) => until(`${names} to be known`, async () => String(await namesOf(node)) === String(names));

describe('nodes on one NATS', () => {
  it('know each other and their status; a stopping node announces it', async () => {
    server = await startNatsServer();
    const [a, b] = [await start('a'), await start('b')];
    await knows(a, ['a', 'b']);
    await knows(b, ['b', 'a']);
    const client = await b.connect();
    await client.subscribe('scores.x');
    await until('the connection to be known', async () => (await nodesOf(a))[1]?.connections === 1);
    const feed = setInterval(() => void a.publish('scores.x', 1), 5);
    await until('its rates to be known', async () => {
      const [, there] = await nodesOf(a);
      return (there?.deliveriesPerSecond ?? 0) > 0 && (there?.publicationsPerSecond ?? 0) > 0;
    });
    clearInterval(feed);
    expect((await nodesOf(a))[1]).toMatchObject({ nodeId: 'b', self: false, notReady: null, workers: 1, topics: 1, subscriptions: 1 });
    expect(await a.metric('stentor_nodes')).toBe(2);
    nodes.splice(nodes.indexOf(b), 1);
    await b.stop();
    await knows(a, ['a']);
  });

  it('still show one that was killed, as silent, and do not count it', async () => {
    server = await startNatsServer();
    const a = await start('a');
    const killed = NodeProcess.launch(settingsOf('killed', { workers: 0 }));
    nodes.push(killed);
    await knows(a, ['a', 'killed']);
    killed.signal('SIGKILL');
    await killed.ended;
    await until('its silence to be noticed', async () => (await a.metric('stentor_nodes')) === 1);
    const [, silent] = await nodesOf(a);
    expect(silent?.heardMsAgo).toBeGreaterThan(3 * 50);
  });

  it('find each other again after NATS was away, and know themselves meanwhile', async () => {
    server = await startNatsServer();
    const [a, b] = [await start('a'), await start('b')];
    await knows(a, ['a', 'b']);
    await server.kill9();
    await until('both to be alone', async () => (await a.metric('stentor_nodes')) === 1 && (await b.metric('stentor_nodes')) === 1);
    expect((await nodesOf(a))[0]).toMatchObject({ nodeId: 'a', self: true, notReady: 'the bus is not connected' });
    await server.restart();
    await until('both to be together', async () => (await a.metric('stentor_nodes')) === 2 && (await b.metric('stentor_nodes')) === 2);
  });
});

it('a node on its own bus is alone', async () => {
  const a = await start('a');
  await knows(a, ['a']);
  expect(await a.metric('stentor_nodes')).toBe(1);
});
