import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { workerOf } from '../support/connection-id.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { NodeProcess } from '../support/node-process.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  chat: { durable: false, public: true, presence: 'members' },
  scores: { durable: false, public: true, presence: 'count' },
};
const GRACE_MS = 1500;

async function connect(node: NodeProcess, sub: string): Promise<TestClient> {
  const client = await node.connect({ encoding: 'msgpack', token: await tokenOf({ sub }) });
  await client.next('connected');
  return client;
}

async function presenceOf(client: TestClient, topic: string): Promise<{ count: number; members: string[] | undefined }> {
  const { count, members } = await client.get('presence', { type: 'presence', topic });
  return { count, members: members?.map(({ user }) => user as string).sort() };
}

async function untilPresence(client: TestClient, topic: string, members: readonly string[]): Promise<void> {
  const wanted = JSON.stringify({ count: members.length, members: [...members].sort() });
  await until(`${topic} to be ${wanted}`, async () => JSON.stringify(await presenceOf(client, topic)) === wanted);
}

const changesOf = (client: TestClient) =>
  client.messages
    .filter((message): message is ServerMessage<'presence'> => message.type === 'presence' && message.id === undefined)
    .flatMap(({ joined = [], left = [] }) => [...joined.map(({ user }) => `+${user}`), ...left.map(({ user }) => `-${user}`)]);

describe('presence of two nodes with two workers each, on one nats-server', () => {
  let nats: NatsServer;
  const nodes: NodeProcess[] = [];
  let topics = 0;
  const newTopic = () => `chat.t${topics++}`;

  async function launch(): Promise<NodeProcess> {
    const node = NodeProcess.launch({
      namespaces: NAMESPACES,
      'nats.url': nats.url,
      'tuning.presence.graceMs': GRACE_MS,
      'limits.messagesPerSecondMax': 100_000,
    });
    nodes.push(node);
    await node.untilStarted(2);
    return node;
  }

  beforeAll(async () => {
    nats = await startNatsServer();
    await Promise.all([launch(), launch()]);
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await nats?.stop();
  });

  it('is the same on both nodes, and shows a join, and a leave after the grace time', async () => {
    const [a, b] = nodes as [NodeProcess, NodeProcess];
    const topic = newTopic();
    const [ann, bob] = [await connect(a, 'ann'), await connect(b, 'bob')];
    await ann.subscribe(topic, { presence: true });
    await bob.subscribe(topic);
    await untilPresence(ann, topic, ['ann', 'bob']);
    await untilPresence(bob, topic, ['ann', 'bob']);
    const leavesAtMs = performance.now();
    await bob.close();
    await untilPresence(ann, topic, ['ann']);
    expect(performance.now() - leavesAtMs).toBeGreaterThan(GRACE_MS - 300);
    await ann.until('both changes', () => changesOf(ann).length === 2);
    expect(changesOf(ann)).toEqual(['+bob', '-bob']);
  });

  it('reports nothing of a user that moves to the other node', async () => {
    const [a, b] = nodes as [NodeProcess, NodeProcess];
    const topic = newTopic();
    const ann = await connect(a, 'ann');
    await ann.subscribe(topic, { presence: true });
    const before = await connect(a, 'bob');
    await before.subscribe(topic);
    await untilPresence(ann, topic, ['ann', 'bob']);
    const after = await connect(b, 'bob');
    await before.close();
    await after.subscribe(topic);
    // A member that joins after the grace time shows that it is over.
    const closed = await connect(a, 'eve');
    await closed.subscribe(topic);
    await untilPresence(ann, topic, ['ann', 'bob', 'eve']);
    await closed.close();
    await untilPresence(ann, topic, ['ann', 'bob']);
    await ann.until('both changes', () => changesOf(ann).length >= 3);
    expect(changesOf(ann)).toEqual(['+bob', '+eve', '-eve']);
  });

  it('adds counts up over nodes and workers', async () => {
    const [a, b] = nodes as [NodeProcess, NodeProcess];
    const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => connect(i % 2 === 0 ? a : b, `user-${i % 5}`)));
    for (const client of clients) await client.subscribe('scores.a', { presence: true });
    await Promise.all(
      clients.map((client) =>
        client.until('20', () => client.messages.some((message) => message.type === 'presence' && message.count === 20)),
      ),
    );
    await Promise.all(clients.slice(10).map((client) => client.close()));
    await until('10 to be left', async () => (await presenceOf(clients[0] as TestClient, 'scores.a')).count === 10);
  });

  it('sends a node that starts later the whole state', async () => {
    const topic = newTopic();
    const ann = await connect(nodes[0] as NodeProcess, 'ann');
    await ann.subscribe(topic);
    await untilPresence(ann, topic, ['ann']);
    const late = await launch();
    const bob = await connect(late, 'bob');
    await untilPresence(bob, topic, ['ann']);
    await late.stop();
    nodes.splice(nodes.indexOf(late), 1);
  });

  it('removes the members of a killed node, not before the grace time, and reports nothing of those that move', async () => {
    const topic = newTopic();
    const watcher = await connect(nodes[0] as NodeProcess, 'ann');
    await watcher.subscribe(topic, { presence: true });
    const victim = await launch();
    for (const user of ['bob', 'eve', 'kim']) await (await connect(victim, user)).subscribe(topic);
    await untilPresence(watcher, topic, ['ann', 'bob', 'eve', 'kim']);
    await watcher.until('the joins', () => changesOf(watcher).length === 3);
    const before = changesOf(watcher).length;
    const moved = await connect(nodes[1] as NodeProcess, 'eve');
    const killedAtMs = performance.now();
    await victim.kill9();
    await moved.subscribe(topic);
    await untilPresence(watcher, topic, ['ann', 'eve']);
    expect(performance.now() - killedAtMs).toBeGreaterThan(GRACE_MS);
    await watcher.until('both leaves', () => changesOf(watcher).length === before + 2);
    expect(changesOf(watcher).slice(before).sort()).toEqual(['-bob', '-kim']);
    nodes.splice(nodes.indexOf(victim), 1);
  });

  it('is correct again after NATS was away, including changes meanwhile', async () => {
    const [a, b] = nodes as [NodeProcess, NodeProcess];
    const topic = newTopic();
    const [ann, bob] = [await connect(a, 'ann'), await connect(b, 'bob')];
    for (const client of [ann, bob]) await client.subscribe(topic);
    await untilPresence(ann, topic, ['ann', 'bob']);
    await nats.kill9();
    await until('both to notice', async () => (await a.metric('stentor_bus_connected')) + (await b.metric('stentor_bus_connected')) === 0);
    expect(await presenceOf(ann, topic)).toEqual({ count: 2, members: ['ann', 'bob'] });
    await bob.close();
    await (await connect(b, 'eve')).subscribe('scores.b');
    await nats.restart();
    await untilPresence(ann, topic, ['ann']);
    await until('the other topic', async () => (await presenceOf(ann, 'scores.b')).count === 1);
  });
});

describe('presence of two workers, without NATS', () => {
  const nodes: NodeProcess[] = [];
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
  });

  it('is the same on both workers, and keeps the users of a crashed one for the grace time', async () => {
    const node = NodeProcess.launch({ namespaces: NAMESPACES, 'tuning.presence.graceMs': GRACE_MS });
    nodes.push(node);
    await node.untilStarted(2);
    const clients = await Promise.all(Array.from({ length: 16 }, (_, i) => connect(node, `user-${i}`)));
    const workers = new Map<TestClient, string>();
    for (const client of clients) {
      const { connectionId } = client.messages[0] as ServerMessage<'connected'>;
      workers.set(client, workerOf(connectionId));
      await client.subscribe('chat.a', { presence: true });
    }
    expect(new Set(workers.values()).size).toBe(2);
    const all = clients.map((_, i) => `user-${i}`);
    for (const client of clients) await untilPresence(client, 'chat.a', all);
    process.kill(node.workerPids[0] as number, 'SIGKILL');
    const killed = await Promise.race(clients.map((client) => client.closed.then(() => workers.get(client))));
    const [left, gone] = [false, true].map((isGone) => clients.filter((client) => (workers.get(client) === killed) === isGone)) as [
      TestClient[],
      TestClient[],
    ];
    const first = `user-${clients.indexOf(gone[0] as TestClient)}`;
    // One comes back in time.
    await (await connect(node, first)).subscribe('chat.a');
    const staying = [...left.map((client) => `user-${clients.indexOf(client)}`), first];
    await untilPresence(left[0] as TestClient, 'chat.a', staying);
    await (left[0] as TestClient).until(
      'all who left',
      () => changesOf(left[0] as TestClient).filter((name) => name.startsWith('-')).length === gone.length - 1,
    );
    expect(changesOf(left[0] as TestClient)).not.toContain(`-${first}`);
  });
});
