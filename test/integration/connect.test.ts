import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';

const nodes: TestNode[] = [];
const NAMESPACES = { open: { public: true }, closed: { clientPublish: true } };

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

describe('an anonymous client', () => {
  it('subscribes to public namespaces, with or without connect, and to nothing else', async () => {
    const node = await start();
    const silent = await node.connect();
    expect(await silent.subscribe('open.a')).toMatchObject({ topic: 'open.a', recovered: false, items: [] });
    const greeted = await node.connect();
    expect(await greeted.get('connected', { type: 'connect' })).toMatchObject({ user: null });
    await greeted.subscribe('open.a');
    await node.publish('open.a', 'hello');
    for (const client of [silent, greeted]) {
      expect((await client.next('batch')).items).toEqual([[1, null, 'hello']]);
      expect(await client.ask({ type: 'subscribe', topic: 'closed.a' })).toMatchObject({ type: 'error', code: 'unauthorized' });
      expect(await client.ask({ type: 'publish', topic: 'closed.a', data: 1 })).toMatchObject({ code: 'unauthorized' });
      expect(await client.ask({ type: 'history', topic: 'closed.a' })).toMatchObject({ code: 'unauthorized' });
      expect(await client.ask({ type: 'call', method: 'a' })).toMatchObject({ code: 'unauthorized' });
    }
  });
});

describe('where no namespace is public', () => {
  const settings = { namespaces: { closed: {} }, 'tuning.connections.connectTimeoutMs': 300 };

  it('a client that says nothing is closed with 4001', async () => {
    const node = await start(settings);
    const client = await node.connect();
    expect(await client.closed).toEqual({ code: 4001, reason: 'unauthorized' });
  });

  it('one that has connected stays', async () => {
    const node = await start(settings);
    const token = await tokenOf();
    const [silent, byHeader, byMessage] = await Promise.all([node.connect(), node.connect({ encoding: 'json', token }), node.connect()]);
    expect(await byMessage?.ask({ type: 'connect', token })).toMatchObject({ type: 'connected' });
    await silent?.closed;
    await byHeader?.settle();
    await byMessage?.settle();
  });

  it('a command before connect, or a connect without a token, is refused and closes with 4001', async () => {
    const node = await start(settings);
    const hasty = await node.connect();
    expect(await hasty.ask({ type: 'subscribe', topic: 'closed.a' })).toMatchObject({ code: 'unauthorized' });
    expect((await hasty.closed).code).toBe(4001);
    const empty = await node.connect();
    expect(await empty.ask({ type: 'connect' })).toMatchObject({ code: 'unauthorized' });
    expect((await empty.closed).code).toBe(4001);
    expect(await node.metric('stentor_errors_total', { code: 'unauthorized' })).toBe(2);
  });

  it('a ping is answered, and is no greeting', async () => {
    const node = await start(settings);
    const client = await node.connect();
    client.send({ type: 'ping', t: 7 });
    expect(await client.next('pong')).toMatchObject({ t: 7, serverTimeMs: expect.any(Number) });
    client.send({ type: 'ping' });
    expect(await client.next('pong')).not.toHaveProperty('t');
    expect((await client.closed).code).toBe(4001);
  });
});

describe('connect', () => {
  it('may be followed at once by commands that need its token', async () => {
    const node = await start();
    const client = await node.connect({ encoding: 'msgpack' });
    client.send({ type: 'connect', id: 1, token: await tokenOf({ sub: 'bob' }) });
    client.send({ type: 'subscribe', id: 2, topic: 'closed.a' });
    client.send({ type: 'publish', id: 3, topic: 'closed.b', data: 'first' });
    client.send({ type: 'history', id: 4, topic: 'closed.a' });
    expect(await client.next('connected')).toMatchObject({ id: 1, user: 'bob' });
    expect(await client.next('subscribed')).toMatchObject({ id: 2 });
    expect(await client.next('published')).toMatchObject({ id: 3, offset: 1 });
    expect(await client.next('history')).toMatchObject({ id: 4 });
    expect(client.messages[0]?.type).toBe('connected');
  });

  it('is allowed once, as the first command', async () => {
    const node = await start();
    const token = await tokenOf();
    const twice = await node.connect();
    expect(await twice.ask({ type: 'connect', token })).toMatchObject({ type: 'connected' });
    expect(await twice.ask({ type: 'connect', token })).toMatchObject({ type: 'error', code: 'already_connected' });
    const late = await node.connect();
    await late.subscribe('open.a');
    expect(await late.ask({ type: 'connect', token })).toMatchObject({ type: 'error', code: 'already_connected' });
    // Both go on.
    await twice.subscribe('closed.a');
    await late.settle();
  });

  it('sent twice at once still lets the following commands wait for the first', async () => {
    const node = await start();
    const client = await node.connect();
    const token = await tokenOf();
    client.send({ type: 'connect', id: 1, token });
    client.send({ type: 'connect', id: 2, token });
    client.send({ type: 'subscribe', id: 3, topic: 'closed.a' });
    expect(await client.next('error')).toMatchObject({ id: 2, code: 'already_connected' });
    expect(await client.next('connected')).toMatchObject({ id: 1 });
    expect(await client.next('subscribed')).toMatchObject({ id: 3 });
  });

  it('with an invalid token is answered with the reason and closed with 4001', async () => {
    const node = await start();
    const client = await node.connect();
    client.send({ type: 'connect', id: 1, token: await tokenOf({ expiresInMs: -60_000 }) });
    client.send({ type: 'subscribe', id: 2, topic: 'open.a' });
    expect(await client.next('error')).toMatchObject({ id: 1, code: 'token_expired', retryable: false });
    expect((await client.closed).code).toBe(4001);
    expect(client.messages).toHaveLength(1);
  });

  it('after a token at the upgrade only adds its options', async () => {
    const node = await start();
    const client = await node.connect({ encoding: 'msgpack', token: await tokenOf({ sub: 'bob' }) });
    expect(await client.next('connected')).not.toHaveProperty('id');
    expect(await client.ask({ type: 'connect', compression: 'deflate-raw' })).toMatchObject({ type: 'connected', user: 'bob' });
    await client.subscribe('closed.a');
  });
});
