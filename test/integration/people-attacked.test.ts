import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

type Question = Readonly<Record<string, unknown>>;

const SETTINGS = {
  'hooks.connect': 'nats:auth.connect',
  'limits.connectionsPerUserMax': 2,
  'admin.token': 'a-token-of-the-operator',
  namespaces: {
    user: { durable: false, clientPublish: true },
    room: { durable: false, public: true, hooks: { subscribe: 'nats:auth.subscribe' } },
  },
};

describe('users on two nodes with hooks, under attack', () => {
  let nats: NatsServer;
  let services: NatsConnection;
  let nodes: [TestNode, TestNode];
  const stops: (() => void)[] = [];

  beforeAll(async () => {
    nats = await startNatsServer();
    services = await connect({ servers: nats.url });
  });
  beforeEach(async () => {
    const settings = { ...SETTINGS, 'nats.url': nats.url };
    nodes = [await TestNode.start(settings), await TestNode.start(settings)];
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) stop();
    for (const node of nodes) await node.stop();
  });
  afterAll(async () => {
    await services?.close();
    await nats?.stop();
  });

  /** @returns the questions */
  async function serve(subject: string, answer: (question: Question) => object | Promise<object>): Promise<Question[]> {
    const asked: Question[] = [];
    const reply = async (message: Msg) => {
      const question = message.json<Question>();
      asked.push(question);
      message.respond(JSON.stringify(await answer(question)));
    };
    const subscription = services.subscribe(subject, { callback: (_, message) => void reply(message) });
    stops.push(() => subscription.unsubscribe());
    await services.flush();
    return asked;
  }

  const opened = async (node: TestNode, sub?: string): Promise<TestClient> =>
    node.connect({ encoding: 'json', ...(sub !== undefined && { token: await tokenOf({ sub, subscribe: [], publish: [] }) }) });

  const connectionsOf = async (user: string): Promise<number> => {
    const answer = await nodes[0].admin(`/api/users?prefix=${user}`, { authorization: 'Bearer a-token-of-the-operator' });
    const { users } = (await answer.json()) as { users: { user: string; connections: number }[] };
    return users.find((one) => one.user === user)?.connections ?? 0;
  };

  it('keep one user a connection, even if two tokens are sent before the hook has answered', async () => {
    const answers: (() => void)[] = [];
    await serve('auth.connect', ({ user }) =>
      user === null ? { allow: true } : new Promise((resolve) => answers.push(() => resolve({ allow: true }))),
    );
    const client = await opened(nodes[0]);
    await client.get('connected', { type: 'connect' });
    const [ann, bob] = [await tokenOf({ sub: 'ann' }), await tokenOf({ sub: 'bob' })];
    client.send({ type: 'refresh', id: 71, token: ann });
    client.send({ type: 'refresh', id: 72, token: bob });
    await until('the questions', () => answers.length === 2);
    for (const answer of answers) answer();
    const results = [await client.next('refreshed'), await client.next('error')];
    expect(results).toMatchObject([{ id: 71 }, { id: 72, code: 'forbidden' }]);
    expect(await connectionsOf('ann')).toBe(1);
    expect(await connectionsOf('bob')).toBe(0);
    await client.close();
    await until('nobody is counted', async () => (await connectionsOf('ann')) === 0);
  });

  it('get their own answers, whoever waits for the same question, and are asked about once', async () => {
    await serve('auth.connect', () => ({ allow: true, cacheMs: 60_000 }));
    const asked = await serve('auth.subscribe', ({ user }) =>
      String(user).endsWith('odd') ? { allow: false, code: 'odd' } : { allow: true, cacheMs: 60_000, options: { maxRateHz: 1 } },
    );
    const clients = await Promise.all(
      Array.from({ length: 40 }, (_, i) => opened(nodes[i % 2] as TestNode, `u${Math.floor(i / 4)}${i % 4 < 2 ? 'even' : 'odd'}`)),
    );
    const answers = await Promise.all(clients.map((client) => client.ask({ type: 'subscribe', topic: 'room.a' })));
    for (const [i, answer] of answers.entries())
      expect(answer).toMatchObject(i % 4 < 2 ? { type: 'subscribed', rateHz: 1 } : { code: 'odd' });
    const even = asked.filter(({ user }) => String(user).endsWith('even'));
    expect(new Set(even.map(({ user, nodeId }) => `${user} ${nodeId}`)).size).toBe(even.length);
  });
});
