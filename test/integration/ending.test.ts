import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.ts';
import { post as publish } from '../support/http.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { sign } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const ADMIN_TOKEN = 'the-operators-token';
const HEADERS = { Authorization: `Bearer ${ADMIN_TOKEN}` };
const NAMESPACES = { live: { durable: false }, open: { durable: false, public: true } };

describe('ending from outside, with two nodes on one nats-server', () => {
  let nats: NatsServer;
  let program: NatsConnection;
  const nodes: TestNode[] = [];

  beforeAll(async () => {
    nats = await startNatsServer();
    program = await connect({ servers: nats.url });
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
  });
  afterAll(async () => {
    await program?.close();
    await nats?.stop();
  });

  async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
    const node = await TestNode.start({
      namespaces: NAMESPACES,
      'nats.url': nats.url,
      'admin.token': ADMIN_TOKEN,
      'auth.revocations': 'accept',
      ...settings,
    });
    nodes.push(node);
    return node;
  }

  async function pair(): Promise<[TestNode, TestNode]> {
    const both: [TestNode, TestNode] = [await start(), await start()];
    for (const node of both) await node.untilNodes(2);
    return both;
  }

  const token = (sub: string, claims: object = {}) =>
    sign({ sub, exp: Date.now() / 1000 + 600, iat: Date.now() / 1000, stentor: { subscribe: ['live.>'] }, ...claims });

  async function connected(node: TestNode, sub: string, claims: object = {}): Promise<{ client: TestClient; connectionId: string }> {
    const client = await node.connect({ encoding: 'json', token: await token(sub, claims) });
    const { connectionId } = await client.next('connected');
    return { client, connectionId };
  }

  async function post(node: TestNode, path: string, body: unknown, headers: Record<string, string> = HEADERS) {
    const answer = await fetch(`http://127.0.0.1:${node.running.adminPort}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }

  it('disconnects a user on all nodes, permanently or temporarily, with the reason, and no other user', async () => {
    const [one, two] = await pair();
    const ann = [await connected(one, 'ann'), await connected(two, 'ann')];
    const bob = [await connected(one, 'bob'), await connected(two, 'bob')];
    expect(await post(one, '/api/disconnect', { user: 'ann', reason: 'signed out' })).toEqual({
      status: 200,
      body: { nodes: 2, nodesSilent: [], connections: 2 },
    });
    for (const { client } of ann) expect(await client.closed).toEqual({ code: 4010, reason: 'signed out' });
    expect((await post(two, '/api/disconnect', { user: 'bob', reconnect: true })).body).toMatchObject({ connections: 2 });
    for (const { client } of bob) expect(await client.closed).toEqual({ code: 4105, reason: 'ended by the operator' });
  });

  it('disconnects one connection, and all bearers of a token', async () => {
    const [one, two] = await pair();
    const [first, second] = [await connected(two, 'ann'), await connected(two, 'ann')];
    expect((await post(one, '/api/disconnect', { connectionId: first.connectionId })).body).toEqual({
      nodes: 2,
      nodesSilent: [],
      connections: 1,
    });
    expect(await first.client.closed).toMatchObject({ code: 4010 });
    await second.client.settle();
    const bearers = [await connected(one, 'carl', { jti: 't-1' }), await connected(two, 'dora', { jti: 't-1' })];
    expect((await post(one, '/api/disconnect', { tokenId: 't-1' })).body).toMatchObject({ connections: 2 });
    for (const { client } of bearers) expect(await client.closed).toMatchObject({ code: 4010 });
    await second.client.settle();
  });

  it('ends a user’s subscription to a topic, and nothing else', async () => {
    const [one, two] = await pair();
    const clients = [(await connected(one, 'ann')).client, (await connected(two, 'ann')).client, (await connected(two, 'bob')).client];
    for (const client of clients) for (const topic of ['live.a', 'live.b']) await client.subscribe(topic);
    expect((await post(one, '/api/unsubscribe', { user: 'ann', topic: 'live.a', reason: 'banned from the room' })).body).toMatchObject({
      connections: 2,
    });
    for (const client of clients.slice(0, 2)) {
      expect(await client.next('error')).toMatchObject({ code: 'unsubscribed', topic: 'live.a', message: 'banned from the room' });
    }
    program.publish('feed.live.a', '1');
    program.publish('feed.live.b', '2');
    for (const client of clients) await client.next('batch', ({ topic }) => topic === 'live.b');
    await clients[2]!.next('batch', ({ topic }) => topic === 'live.a');
    for (const client of clients.slice(0, 2)) {
      await client.settle();
      expect(client.messages.filter((message) => message.type === 'batch' && message.topic === 'live.a')).toEqual([]);
      // It may subscribe again: that is for its permissions to say.
      await client.subscribe('live.a');
    }
  });

  it('takes orders from programs on NATS, and survives what is none', async () => {
    const [one, two] = await pair();
    const ann = [await connected(one, 'ann'), await connected(two, 'ann')];
    for (const text of ['', '{', 'null', '[]', '{"action":"disconnect"}', '{"action":"nothing","user":"ann"}', `"${'x'.repeat(5000)}"`]) {
      program.publish('stentor.control', text);
    }
    for (let i = 0; i < 1000; i++) program.publish('stentor.control', '{"stream":"stentor-chat","seq":7}');
    program.publish('stentor.control', JSON.stringify({ action: 'disconnect', user: 'ann', reason: 'from NATS' }));
    for (const { client } of ann) expect(await client.closed).toEqual({ code: 4010, reason: 'from NATS' });
    for (const node of nodes) {
      // One line a second, however many there are.
      const lines = node.log.filter((line) => line.includes('could not be carried out'));
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.length).toBeLessThan(30);
    }
  });

  it('revokes a token: its bearers are closed, and it is refused by every node, those too that start later', async () => {
    const [one, two] = await pair();
    const stolen = { jti: 'stolen', exp: Date.now() / 1000 + 600 };
    const bearer = await connected(two, 'ann', stolen);
    const other = await connected(two, 'ann', { jti: 'mine' });
    expect((await post(one, '/api/revoke', { tokenId: 'stolen' })).body).toEqual({ nodes: 2, nodesSilent: [], connections: 1 });
    expect(await bearer.client.closed).toMatchObject({ code: 4011 });
    await other.client.settle();
    const later = await start();
    const late = await later.connect({ encoding: 'json' });
    for (const node of [one, two, later]) {
      // One that starts reads them in the background, as `accept` says.
      await until('the token to be refused', async () => {
        const client = await node.connect({ encoding: 'json' });
        const answer = await client.ask({ type: 'connect', token: await token('ann', stolen) });
        return answer.type === 'error' && answer.code === 'token_revoked' && (await client.closed).code === 4011;
      });
    }
    await late.get('connected', { type: 'connect' });
    expect(await late.ask({ type: 'refresh', token: await token('ann', stolen) })).toMatchObject({ code: 'token_revoked' });
  });

  it('revokes all of a user’s tokens that were issued before a time', async () => {
    const [one, two] = await pair();
    const old = await connected(one, 'eve', { iat: Date.now() / 1000 - 100 });
    const without = await connected(two, 'eve', { iat: undefined });
    const bob = await connected(two, 'bob');
    // A time in the future would lock the user out.
    program.publish('stentor.control', JSON.stringify({ action: 'revoke', user: 'bob', issuedBeforeMs: Date.now() + 120_000 }));
    program.publish('stentor.control', JSON.stringify({ action: 'revoke', user: 'eve', issuedBeforeMs: Date.now() - 50_000 }));
    for (const { client } of [old, without]) expect(await client.closed).toMatchObject({ code: 4011 });
    await bob.client.settle();
    const fresh = await connected(two, 'eve');
    await fresh.client.settle();
    const refused = await one.connect({ encoding: 'json', token: await token('eve', { iat: Date.now() / 1000 - 60 }) });
    expect(await refused.closed).toMatchObject({ code: 4011 });
    // An earlier time changes nothing.
    await post(one, '/api/revoke', { user: 'eve', issuedBeforeMs: 1 });
    const kv = await new Kvm(jetstream(program)).open('stentor-revocations');
    const kept = (await kv.get('user.eve'))!.json<{ user: string; issuedBeforeMs: number }>();
    expect(kept.user).toBe('eve');
    expect(kept.issuedBeforeMs).toBeGreaterThan(1);
    expect(await kv.get('user.bob')).toBeNull();
  });

  it('waits for what is revoked before it lets anybody in, where the config says so', async () => {
    const [one] = [await start()];
    await post(one, '/api/revoke', { tokenId: 'strict' });
    const strict = await start({ 'auth.revocations': 'refuse' });
    await until('tokens to be taken', async () => {
      const client = await strict.connect({ encoding: 'json' });
      const answer = await client.ask({ type: 'connect', token: await token('ann') });
      if (answer.type === 'error') expect(answer.code).toBe('unavailable');
      return answer.type === 'connected';
    });
    const client = await strict.connect({ encoding: 'json' });
    expect(await client.ask({ type: 'connect', token: await token('ann', { jti: 'strict' }) })).toMatchObject({ code: 'token_revoked' });
  });

  it('revokes a token while the connect hook is still asked about its bearer', async () => {
    const node = await start({ 'hooks.connect': 'nats:auth.connect', 'hooks.timeoutMs': 20_000 });
    const questions: Msg[] = [];
    const hook = program.subscribe('auth.connect', { callback: (_, message) => void questions.push(message) });
    await program.flush();
    const client = await node.connect({ encoding: 'json', token: await token('ann', { jti: 'hooked' }) });
    const question = await until('the hook to be asked', () => questions[0]);
    expect((await post(node, '/api/revoke', { tokenId: 'hooked' })).body).toMatchObject({ connections: 0 });
    question.respond('{"allow":true}');
    expect(await client.next('error')).toMatchObject({ code: 'token_revoked' });
    expect(await client.closed).toMatchObject({ code: 4011 });
    hook.unsubscribe();
  });

  it('revokes the token of a request while the connect hook is still asked about its bearer', async () => {
    const room = { durable: false, clientPublish: true };
    const node = await start({ 'hooks.connect': 'nats:auth.connect', 'hooks.timeoutMs': 20_000, namespaces: { room } });
    const questions: Msg[] = [];
    const hook = program.subscribe('auth.connect', { callback: (_, message) => void questions.push(message) });
    await program.flush();
    const publishing = publish(
      node,
      { topic: 'room.a', data: 1 },
      { token: await token('ann', { jti: 'asked', stentor: { publish: ['>'] } }) },
    );
    const question = await until('the hook to be asked', () => questions[0]);
    await post(node, '/api/revoke', { tokenId: 'asked' });
    question.respond('{"allow":true}');
    expect(await publishing).toMatchObject({ status: 401, body: { error: { code: 'token_revoked' } } });
    hook.unsubscribe();
  });

  it('is for the operator alone, says what is wrong, and is unsupported where tokens cannot be revoked', async () => {
    const node = await start({ 'auth.revocations': 'off' });
    expect(await post(node, '/api/disconnect', { user: 'ann' }, {})).toMatchObject({
      status: 401,
      body: { error: { code: 'unauthorized' } },
    });
    expect((await node.admin('/api/disconnect', HEADERS)).status).toBe(405);
    expect(await post(node, '/api/disconnect', {})).toMatchObject({ status: 400, body: { error: { code: 'bad_message' } } });
    expect(await post(node, '/api/disconnect', [])).toMatchObject({ status: 400, body: { error: { code: 'bad_message' } } });
    expect(await post(node, '/api/unsubscribe', { user: 'ann', topic: '..' })).toMatchObject({
      status: 400,
      body: { error: { code: 'bad_topic' } },
    });
    expect(await post(node, '/api/disconnect', { user: 'x'.repeat(5000) })).toMatchObject({ status: 413 });
    // A minute and more ahead: it could not be taken back, and would lock the user out.
    expect(await post(node, '/api/revoke', { user: 'ann', issuedBeforeMs: Date.now() + 120_000 })).toMatchObject({
      status: 400,
      body: { error: { code: 'bad_message', message: expect.stringContaining('in the future') } },
    });
    expect(await post(node, '/api/revoke', { user: 'ann' })).toMatchObject({ status: 404, body: { error: { code: 'unsupported' } } });
    const closed = await start({ 'admin.token': '' });
    expect(await post(closed, '/api/disconnect', { user: 'ann' })).toMatchObject({ status: 404, body: { error: { code: 'unsupported' } } });
  });

  it('is there on the command line', async () => {
    const [one, two] = await pair();
    const { client } = await connected(two, 'ann');
    await client.subscribe('live.a');
    const where = ['--set', `admin.port=${one.running.adminPort}`, '--set', `admin.token=${ADMIN_TOKEN}`];
    const unsubscribed = await runCli(['unsubscribe', 'live.a', '--user', 'ann', '--json', ...where]);
    expect(JSON.parse(unsubscribed.stdout)).toEqual({ nodes: 2, nodesSilent: [], connections: 1 });
    await client.next('error', ({ code }) => code === 'unsubscribed');
    await runCli(['disconnect', '--user', 'ann', '--reason', 'signed out', '--reconnect', ...where]);
    expect(await client.closed).toEqual({ code: 4105, reason: 'signed out' });
    const again = await connected(two, 'ann');
    await runCli(['revoke', '--user', 'ann', '--issued-before', new Date(Date.now() + 5000).toISOString(), ...where]);
    expect(await again.client.closed).toMatchObject({ code: 4011 });
    expect(await runCli(['disconnect', ...where])).toMatchObject({ code: 2 });
    expect(await runCli(['disconnect', '--user', 'ann', '--set', `admin.port=${one.running.adminPort}`])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('unauthorized'),
    });
  });
});

describe('ending from outside, on the memory bus', () => {
  it('ends all by which a client gets a topic: its keys, and patterns that match it', async () => {
    const namespaces = { room: { public: true, state: 'keyed', wildcards: true, topicTokens: 2 } };
    const node = await TestNode.start({ namespaces, 'admin.token': ADMIN_TOKEN });
    try {
      const client = await node.connect({ encoding: 'json' });
      const { connectionId } = await client.get('connected', { type: 'connect' });
      const subscribe = (topic: string, key?: string) => client.subscribe(topic, { ...(key !== undefined && { key }) });
      for (const topic of ['room.a', 'room.b', 'room.*']) await subscribe(topic);
      for (const topic of ['room.a', 'room.b']) await subscribe(topic, 'k');
      const answer = await fetch(`http://127.0.0.1:${node.running.adminPort}/api/unsubscribe`, {
        method: 'POST',
        headers: HEADERS,
        body: JSON.stringify({ connectionId, topic: 'room.a', reason: 'banned' }),
      });
      expect(await answer.json()).toMatchObject({ connections: 1 });
      await client.settle();
      const ended = client.messages.flatMap((message) => (message.type === 'error' ? [[message.code, message.topic, message.key]] : []));
      expect(ended).toEqual([
        ['unsubscribed', 'room.a', undefined],
        ['unsubscribed', 'room.*', undefined],
        ['unsubscribed', 'room.a', 'k'],
      ]);
      await node.publish('room.a', 1, { key: 'k' });
      await node.publish('room.b', 2, { key: 'k' });
      for (const key of [undefined, 'k']) await client.next('batch', (batch) => batch.topic === 'room.b' && batch.key === key);
      await client.settle();
      expect(client.messages.filter((message) => message.type === 'batch' && message.topic !== 'room.b')).toEqual([]);
    } finally {
      await node.stop();
    }
  });

  it('works in the same way', async () => {
    const node = await TestNode.start({ namespaces: NAMESPACES, 'admin.token': ADMIN_TOKEN, 'auth.revocations': 'refuse' });
    try {
      const post = (path: string, body: object) =>
        fetch(`http://127.0.0.1:${node.running.adminPort}${path}`, { method: 'POST', headers: HEADERS, body: JSON.stringify(body) }).then(
          (answer) => answer.json(),
        );
      const connectAs = async (jti: string) => {
        const client = await node.connect({ encoding: 'json' });
        const answer = await client.ask({ type: 'connect', token: await sign({ sub: 'ann', jti, exp: Date.now() / 1000 + 60 }) });
        return { client, answer };
      };
      await until('the node to let tokens in', async () => (await connectAs('a')).answer.type === 'connected');
      const { client } = await connectAs('b');
      expect(await post('/api/revoke', { tokenId: 'b' })).toEqual({ nodes: 1, nodesSilent: [], connections: 1 });
      expect(await client.closed).toMatchObject({ code: 4011 });
      expect((await connectAs('b')).answer).toMatchObject({ code: 'token_revoked' });
      expect((await connectAs('a')).answer).toMatchObject({ type: 'connected' });
    } finally {
      await node.stop();
    }
  });
});
