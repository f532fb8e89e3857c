import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { NodeProcess } from '../support/node-process.ts';
import { sign } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const SECRET = 'a-secret-that-workers-do-not-need';
const SETTINGS = {
  'namespaces.scores.public': true,
  'tuning.hub.announceIntervalMs': 500,
  // The first rates of topics take a second.
  'tuning.hub.findTimeoutMs': 2500,
};

let server: NatsServer;
let one: TestNode;
let two: NodeProcess;

// biome-ignore lint/suspicious/noExplicitAny: whatever the path answers
async function get(path: string): Promise<any> {
  return (await one.admin(path)).json();
}

const tokenOf = (sub: string, jti: string) => sign({ sub, jti, exp: Date.now() / 1000 + 600 });

beforeAll(async () => {
  server = await startNatsServer();
  const settings = { ...SETTINGS, 'nats.url': server.url };
  one = await TestNode.start({ ...settings, nodeId: 'one' });
  // Its two workers are processes of their own.
  const env = { STENTOR_ADMIN_TOKENS: `[{token: ${SECRET}, scopes: [read]}]` };
  two = NodeProcess.launch({ ...settings, nodeId: 'two' }, { env });
  await two.untilStarted(2);
  await until('both to know each other', async () => (await get('/api/nodes')).nodes.length === 2);
});
afterAll(async () => {
  await one?.stop();
  await two?.stop();
  await server?.stop();
});

describe('worker processes', () => {
  it('do not have the tokens of the admin port in their environment', async () => {
    const environments = await Promise.all(two.workerPids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8')));
    expect(environments).toHaveLength(2);
    expect(environments.join()).toContain('PATH=');
    expect(environments.join()).not.toContain(SECRET);
    const answer = await two.admin('/api/node', { headers: { authorization: `Bearer ${SECRET}` } });
    expect(answer.status).toBe(200);
  });
});

describe('users, connections and topics of two nodes', () => {
  it('are found on either node by asking one, and a frozen node is named', async () => {
    const here = await one.connect({ encoding: 'json', token: await tokenOf('ann', 'a1') });
    const there = await two.connect({ encoding: 'json', token: await tokenOf('ann', 'a2') });
    const bob = await two.connect({ encoding: 'msgpack', token: await tokenOf('bob', 'b1') });
    for (const client of [here, there, bob]) await client.subscribe('scores.shared');
    await bob.subscribe('scores.bobs');
    const { connectionId } = await bob.next('connected');

    expect(await get('/api/users')).toEqual({
      total: 2,
      users: [
        { user: 'ann', connections: 2 },
        { user: 'bob', connections: 1 },
      ],
      nodes: 2,
      nodesSilent: [],
    });
    const anns = await get('/api/connections?user=ann');
    expect(anns.connections.map(({ nodeId }: { nodeId: string }) => nodeId)).toEqual(['one', 'two']);
    const bobs = await get(`/api/connections?connectionId=${connectionId}`);
    expect(bobs).toMatchObject({
      total: 1,
      nodes: 2,
      connections: [{ nodeId: 'two', user: 'bob', topics: ['scores.shared', 'scores.bobs'] }],
    });
    expect(await get('/api/connections?tokenId=b1')).toMatchObject({ total: 1, connections: [{ connectionId }] });
    await until('its age to rise', async () => {
      const [connection] = (await get(`/api/connections?connectionId=${connectionId}`)).connections;
      return connection.connectedForMs >= 1000;
    });

    const topics = await get('/api/topics?sort=name&prefix=scores.');
    expect(topics).toMatchObject({
      topics: [
        { topic: 'scores.bobs', members: 1 },
        { topic: 'scores.shared', members: 3 },
      ],
      nodes: 2,
    });
    expect((await get('/api/topics?limit=1')).topics).toMatchObject([{ topic: 'scores.shared', members: 3 }]);

    two.signal('SIGSTOP');
    try {
      expect(await get('/api/users')).toEqual({ total: 1, users: [{ user: 'ann', connections: 1 }], nodes: 1, nodesSilent: ['two'] });
    } finally {
      two.signal('SIGCONT');
    }
    await until('it to answer again', async () => (await get('/api/users')).nodes === 2);
  });
});
