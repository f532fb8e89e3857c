import { afterAll, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { type TokenOptions, tokenOf } from '../support/tokens.ts';

const nodes: TestNode[] = [];
const NAMESPACES = { open: { public: true }, closed: { clientPublish: true } };
const SHORT_MS = 3000;
const LONG_MS = 600_000;

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
  nodes.push(node);
  return node;
}

// Together, since most of them wait for a token to end.
afterAll(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function connect(node: TestNode, options: TokenOptions): Promise<TestClient> {
  const client = await node.connect({ encoding: 'json', token: await tokenOf(options) });
  await client.next('connected');
  return client;
}

const refresh = async (client: TestClient, options: TokenOptions) => client.ask({ type: 'refresh', token: await tokenOf(options) });

/** Resolves after all ends of now: another connection, whose token ends a little later, has been closed for it. */
async function untilShortTokensHaveEnded(node: TestNode): Promise<void> {
  const client = await connect(node, { expiresInMs: SHORT_MS });
  expect((await client.closed).code).toBe(4201);
}

describe.concurrent('a token that ends', () => {
  it('closes its connection with 4201, however the token was sent', async () => {
    const node = await start();
    const token = await tokenOf({ expiresInMs: SHORT_MS });
    const byHeader = await node.connect({ encoding: 'json', token });
    const byMessage = await node.connect();
    await byMessage.get('connected', { type: 'connect', token });
    const anonymous = await node.connect();
    await anonymous.get('refreshed', { type: 'refresh', token });
    for (const client of [byHeader, byMessage, anonymous]) expect(await client.closed).toEqual({ code: 4201, reason: 'token expired' });
    expect(await node.metric('stentor_connections_closed_total', { code: '4201' })).toBe(3);
  });

  it('is announced with its end, as the token says it', async () => {
    const node = await start();
    const client = await node.connect();
    const first = Math.floor(Date.now() / 1000) * 1000 + LONG_MS;
    const connected = await client.get('connected', { type: 'connect', token: await tokenOf({ expiresInMs: first - Date.now() }) });
    expect(Math.abs((connected.expiresAtMs ?? 0) - first)).toBeLessThan(1000);
    const { expiresAtMs } = await client.get('refreshed', { type: 'refresh', token: await tokenOf({ expiresInMs: 2 * LONG_MS }) });
    expect(expiresAtMs).toBeGreaterThan(first + LONG_MS / 2);
  });

  it('does not close a connection without one', async () => {
    const node = await start();
    const anonymous = await node.connect();
    expect(await anonymous.get('connected', { type: 'connect' })).not.toHaveProperty('expiresAtMs');
    await untilShortTokensHaveEnded(node);
    await anonymous.subscribe('open.a');
  });
});

describe.concurrent('a refresh', () => {
  it('in time keeps the connection and its subscriptions, without a gap', async () => {
    const node = await start();
    const client = await connect(node, { expiresInMs: SHORT_MS });
    await client.subscribe('closed.a');
    await node.publish('closed.a', 'before');
    expect(await refresh(client, { expiresInMs: LONG_MS })).toMatchObject({ type: 'refreshed' });
    await untilShortTokensHaveEnded(node);
    await node.publish('closed.a', 'after');
    await client.until('both', () => client.track('closed.a').items.length === 2);
    expect(client.socket.readyState).toBe(client.socket.OPEN);
  });

  it('with a token that ends sooner brings the end forward', async () => {
    const node = await start();
    const client = await connect(node, { expiresInMs: LONG_MS });
    expect(await refresh(client, { expiresInMs: SHORT_MS })).toMatchObject({ type: 'refreshed' });
    expect((await client.closed).code).toBe(4201);
  });

  it('has no effect if refused: on the user, the permissions and the expiry', async () => {
    const node = await start();
    const client = await connect(node, { sub: 'alice', expiresInMs: SHORT_MS, publish: ['closed.a'] });
    expect(await refresh(client, { sub: 'bob', expiresInMs: LONG_MS })).toMatchObject({ code: 'forbidden' });
    expect(await client.ask({ type: 'refresh', token: 'x' })).toMatchObject({ code: 'unauthorized' });
    expect(await refresh(client, { expiresInMs: -60_000 })).toMatchObject({ code: 'token_expired' });
    await client.subscribe('closed.a');
    await client.get('published', { type: 'publish', topic: 'closed.a', data: 1 });
    expect((await client.next('batch')).items).toEqual([[1, null, 1, expect.objectContaining({ origin: 'alice' })]]);
    expect(await client.ask({ type: 'publish', topic: 'closed.b', data: 1 })).toMatchObject({ code: 'forbidden' });
    expect((await client.closed).code).toBe(4201);
  });

  it('gives an anonymous client a user, which stays the same from then on', async () => {
    const node = await start();
    const client = await node.connect();
    await client.subscribe('open.a');
    expect(await client.ask({ type: 'subscribe', topic: 'closed.a' })).toMatchObject({ code: 'unauthorized' });
    expect(await refresh(client, { sub: 'alice' })).toMatchObject({ type: 'refreshed' });
    await client.subscribe('closed.a');
    expect(await refresh(client, { sub: 'bob' })).toMatchObject({ code: 'forbidden' });
    expect(await refresh(client, { sub: 'alice' })).toMatchObject({ type: 'refreshed' });
  });

  it('of two users at the same time: one wins', async () => {
    const node = await start();
    const client = await node.connect();
    const answers = await Promise.all([refresh(client, { sub: 'alice' }), refresh(client, { sub: 'bob' })]);
    expect(answers.map(({ type }) => type).sort()).toEqual(['error', 'refreshed']);
  });

  it('ends the subscriptions that the new token does not permit, and reports each; public topics stay', async () => {
    const node = await start();
    const client = await connect(node, { subscribe: ['closed.>'] });
    for (const topic of ['closed.a', 'closed.b', 'closed.c', 'open.d']) await client.subscribe(topic);
    expect(await refresh(client, { subscribe: ['closed.b'] })).toMatchObject({ type: 'refreshed' });
    for (const topic of ['closed.a', 'closed.c']) {
      const error = await client.next('error', (message) => message.topic === topic);
      expect(error).toMatchObject({ code: 'forbidden', retryable: false });
      expect(error).not.toHaveProperty('id');
    }
    for (const topic of ['closed.a', 'closed.b', 'closed.c', 'open.d']) await node.publish(topic, topic);
    await client.next('batch', ({ topic }) => topic === 'closed.b');
    await client.next('batch', ({ topic }) => topic === 'open.d');
    await client.settle();
    expect(client.messages.some((message) => message.type === 'batch' && ['closed.a', 'closed.c'].includes(message.topic))).toBe(false);
    expect(await client.ask({ type: 'subscribe', topic: 'closed.a' })).toMatchObject({ code: 'forbidden' });
    expect(await client.ask({ type: 'unsubscribe', topic: 'closed.a' })).toMatchObject({ code: 'not_subscribed' });
    expect(await node.metric('stentor_subscriptions')).toBe(2);
  });

  it('permits and forbids publishing and calling from then on', async () => {
    const node = await start();
    const client = await connect(node, { publish: [], call: ['sum'] });
    expect(await client.ask({ type: 'publish', topic: 'closed.a', data: 1 })).toMatchObject({ code: 'forbidden' });
    await refresh(client, { publish: ['closed.a'], call: [] });
    await client.get('published', { type: 'publish', topic: 'closed.a', data: 1 });
    expect(await client.ask({ type: 'call', method: 'sum' })).toMatchObject({ code: 'forbidden' });
    await refresh(client, { publish: [], call: [] });
    expect(await client.ask({ type: 'publish', topic: 'closed.a', data: 1 })).toMatchObject({ code: 'forbidden' });
  });

  it('may be repeated, and the last one counts', async () => {
    const node = await start();
    const client = await connect(node, { expiresInMs: LONG_MS });
    for (let n = 0; n < 20; n++)
      expect(await refresh(client, { expiresInMs: n % 2 === 0 ? SHORT_MS : LONG_MS })).toMatchObject({ type: 'refreshed' });
    await untilShortTokensHaveEnded(node);
    await client.subscribe('closed.a');
  });
});
