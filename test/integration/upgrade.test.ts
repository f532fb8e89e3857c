import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { Refused, TestClient, type TestClientOptions } from '../support/test-client.ts';
import { secretKey, sign, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const nodes: TestNode[] = [];
const servers: Server[] = [];

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start(settings);
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** The HTTP answer to an upgrade that must not succeed. */
async function refusal(url: string, options: TestClientOptions = { encoding: 'json' }): Promise<Refused> {
  const outcome = await TestClient.connect(url, options).catch((error: unknown) => error);
  if (outcome instanceof TestClient) {
    await outcome.close();
    throw new Error('was let in');
  }
  if (!(outcome instanceof Refused)) throw outcome;
  return outcome;
}

describe('the WebSocket endpoint', () => {
  it('answers the upgrade on its own path only', async () => {
    const node = await start({ path: '/live' });
    const at = (path: string) => node.url.replace('/ws', path);
    for (const path of ['/', '/ws', '/live/', '/live/more', '/LIVE']) expect((await refusal(at(path))).status, path).toBe(404);
    const client = await TestClient.connect(at('/live'), { encoding: 'json' });
    await client.close();
  });

  it('says 426 to a plain GET on its path, and 404 to one elsewhere', async () => {
    const node = await start();
    const get = (path: string) => fetch(node.url.replace('ws:', 'http:').replace('/ws', path));
    expect((await get('/ws')).status).toBe(426);
    expect((await get('/')).status).toBe(404);
    expect((await get('/page.js')).status).toBe(404);
  });

  it('uses the encoding of the first subprotocol that it knows, JSON if none is requested, and never echoes a token', async () => {
    const node = await start();
    const msgpack = await node.connect({ encoding: 'msgpack' });
    expect(msgpack.socket.protocol).toBe('stentor.v1.msgpack');
    await msgpack.settle();
    const json = await node.connect({ encoding: 'json' });
    expect(json.socket.protocol).toBe('stentor.v1.json');
    await json.settle();
    const none = await node.connect({ encoding: undefined });
    expect(none.socket.protocol).toBe('');
    await none.settle();
    const both = await node.connect({ encoding: 'json', protocols: ['chat.v7', 'stentor.v1.json', 'stentor.v1.msgpack'] });
    expect(both.socket.protocol).toBe('stentor.v1.json');
    const token = await tokenOf({ sub: 'bob' });
    const bearerFirst = await node.connect({ encoding: 'msgpack', protocols: [`bearer.${token}`, 'stentor.v1.msgpack'] });
    expect(bearerFirst.socket.protocol).toBe('stentor.v1.msgpack');
    expect(await bearerFirst.next('connected')).toMatchObject({ user: 'bob' });
  });

  it('refuses unknown subprotocols with 426', async () => {
    const node = await start();
    expect((await refusal(node.url, { protocols: ['stentor.v2.msgpack', 'mqtt'] })).status).toBe(426);
  });

  it('accepts allowed origins, and requests without one', async () => {
    const node = await start({ allowedOrigins: ['https://a.example', 'https://b.example:8443'] });
    const from = (origin: string): TestClientOptions => ({ encoding: 'json', socket: { origin } });
    for (const origin of ['https://evil.example', 'https://a.example.evil.example', 'http://a.example', 'https://A.example', 'null'])
      expect((await refusal(node.url, from(origin))).status, origin).toBe(403);
    await (await node.connect(from('https://a.example'))).settle();
    await (await node.connect(from('https://b.example:8443'))).settle();
    await (await node.connect()).settle();
    expect(await node.metric('stentor_upgrades_refused_total', { status: '403' })).toBe(5);
  });
});

describe('a token at the upgrade', () => {
  it('is accepted from the Authorization header, a subprotocol entry, or the first message', async () => {
    const node = await start();
    const token = await tokenOf({ sub: 'bob' });
    const byHeader = await node.connect({ encoding: 'json', token });
    expect(await byHeader.next('connected')).toMatchObject({
      user: 'bob',
      nodeId: node.running.nodeId,
      connectionId: expect.any(String),
      expiresAtMs: expect.any(Number),
      pingIntervalMs: 25_000,
      limits: { messageBytesMax: 65_536, topicsMax: 1000, messagesPerSecondMax: 100 },
    });
    const byEntry = await node.connect({ encoding: 'json', protocols: ['stentor.v1.json', `bearer.${token}`] });
    expect(await byEntry.next('connected')).toMatchObject({ user: 'bob' });
    const byMessage = await node.connect();
    expect(await byMessage.get('connected', { type: 'connect', token })).toMatchObject({ user: 'bob' });
  });

  it('is accepted from the query only if that is allowed, and is never logged', async () => {
    const token = await tokenOf({ sub: 'bob' });
    const strict = await start();
    const ignored = await TestClient.connect(`${strict.url}?token=${token}`, { encoding: 'json' });
    expect(await ignored.get('connected', { type: 'connect' })).toMatchObject({ user: null });
    await ignored.close();

    const lenient = await start({ 'auth.allowQueryToken': true, 'log.level': 'trace' });
    const taken = await TestClient.connect(`${lenient.url}?token=${token}`, { encoding: 'json' });
    expect(await taken.next('connected')).toMatchObject({ user: 'bob' });
    await taken.close();
    const forged = await TestClient.connect(`${lenient.url}?token=${token}x`, { encoding: 'json' });
    expect((await forged.closed).code).toBe(4001);
    expect((await refusal(`${lenient.url}?token=${await tokenOf({ expiresInMs: -60_000 })}`)).status).toBe(401);
    expect(lenient.log.join('')).not.toContain(token.slice(0, 20));
  });

  it('is refused with 401 if it is certainly invalid without checking its signature', async () => {
    const node = await start();
    const anotherAlgorithm = (await tokenOf()).replace(/^[^.]+/, Buffer.from('{"alg":"RS256"}').toString('base64url'));
    const unsigned = (await tokenOf()).replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString('base64url'));
    const expired = await tokenOf({ expiresInMs: -60_000 });
    const endless = await sign({ sub: 'alice' });
    for (const bad of ['', 'no-jwt', 'a.b.c', anotherAlgorithm, unsigned, expired, endless]) {
      expect((await refusal(node.url, { encoding: 'json', token: bad })).status, bad).toBe(401);
    }
    expect((await refusal(node.url, { protocols: ['stentor.v1.json', 'bearer.x'] })).status).toBe(401);
    expect(await node.metric('stentor_upgrades_refused_total', { status: '401' })).toBe(8);
  });

  it('is refused on the open connection with 4001 if its signature is invalid, before anything is executed', async () => {
    const node = await start();
    const token = await tokenOf();
    const forgeries = [`${token}x`, token.slice(0, -1), await sign({ sub: 'root', exp: Date.now() }, secretKey('x'.repeat(32)))];
    for (const bad of forgeries) {
      const client = await node.connect({ encoding: 'json', token: bad });
      client.send({ type: 'subscribe', id: 1, topic: 'scores.a' });
      expect(await client.next('error')).toMatchObject({ code: 'unauthorized' });
      expect(await client.closed).toEqual({ code: 4001, reason: 'unauthorized' });
      expect(client.messages).toHaveLength(1);
    }
    expect(node.log.join('')).not.toContain(token.slice(0, 20));
  });

  it("makes the client's commands wait until it has been verified", async () => {
    const node = await start();
    const clients = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => node.connect({ encoding: 'msgpack', token: await tokenOf({ sub: `user${i}` }) })),
    );
    for (const client of clients) client.send({ type: 'connect', id: 1 });
    for (const client of clients) client.send({ type: 'subscribe', id: 2, topic: 'chat.a' });
    for (const [i, client] of clients.entries()) {
      expect(await client.next('subscribed')).toMatchObject({ id: 2 });
      expect(client.messages).toMatchObject([
        { type: 'connected', user: `user${i}` },
        { type: 'connected', user: `user${i}`, id: 1 },
        { type: 'subscribed' },
      ]);
    }
  });

  it('never costs a good client its connection, from the first one of a node on', async () => {
    // uWebSockets closes some connections that are upgraded after an await, those of a young process above all.
    for (let round = 0; round < 5; round++) {
      const node = await start();
      const clients = [];
      for (let i = 0; i < 10; i++) {
        const client = await node.connect({ encoding: 'msgpack', token: await tokenOf() });
        await client.next('connected');
        clients.push(client);
      }
      for (const client of clients) await client.settle();
      expect(await node.metric('stentor_connections')).toBe(10);
    }
  });

  it('may be in the middle of being checked when its client goes away', async () => {
    const waiting: (() => void)[] = [];
    const jwks = createServer((_, response) => waiting.push(() => response.writeHead(500).end()));
    servers.push(jwks);
    jwks.listen(0, '127.0.0.1');
    await once(jwks, 'listening');
    const { port } = jwks.address() as AddressInfo;
    const node = await start({ 'auth.jwksUrl': `http://127.0.0.1:${port}/jwks`, 'auth.keys': [] });
    const token = (await tokenOf()).replace(/^[^.]+/, Buffer.from('{"alg":"RS256","kid":"k1"}').toString('base64url'));

    const clients = await Promise.all(Array.from({ length: 20 }, () => node.connect({ encoding: 'json', token })));
    for (const client of clients) client.send({ type: 'subscribe', id: 1, topic: 'scores.a' });
    await until('the key set to be asked for', () => waiting.length > 0);
    await Promise.all(clients.map((client) => client.close()));
    await node.untilMetric('stentor_connections', (open) => open === 0);
    for (const answer of waiting.splice(0)) answer();

    // The node is still there, and says that it could not fetch the keys.
    const late = await node.connect({ encoding: 'json', token });
    await until('another look at the key set', () => waiting.length > 0);
    for (const answer of waiting.splice(0)) answer();
    expect(await late.next('error')).toMatchObject({ code: 'unavailable', retryable: true });
    expect((await late.closed).code).toBe(4100);
    await (await node.connect()).settle();
  });
});

describe('a worker at capacity', () => {
  it('refuses with 503 and Retry-After, and accepts connections again when some have closed', async () => {
    const node = await start({ 'limits.connectionsPerWorkerMax': 2 });
    const first = await node.connect();
    await node.connect();
    const refused = await refusal(node.url);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await first.close();
    await node.untilMetric('stentor_connections', (open) => open === 1);
    await (await node.connect()).settle();
    expect(await node.metric('stentor_upgrades_refused_total', { status: '503' })).toBe(1);
  });

  it('accepts a limited number of connections a second, refuses the others with 503, and accepts them a moment later', async () => {
    const node = await start({ 'limits.connectsPerSecondMax': 4 });
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => node.connect()));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Refused] : []));
    expect(refused.length).toBeLessThanOrEqual(36);
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused.map(({ status, headers }) => `${status} ${headers['retry-after']}`))).toEqual(new Set(['503 1']));
    expect(await node.metric('stentor_upgrades_refused_total', { status: '503' })).toBe(refused.length);
    const connected = () =>
      node.connect().then(
        () => true,
        () => false,
      );
    await until('another one to be taken', connected);
  });

  it('counts those whose tokens are being verified', async () => {
    const node = await start({ 'limits.connectionsPerWorkerMax': 2 });
    const token = await tokenOf();
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => node.connect({ encoding: 'json', token })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(await node.metric('stentor_connections')).toBe(2);
  });
});
