import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { Refused, TestClient, type TestClientOptions } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
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

  it('speaks the encoding of the first subprotocol that it knows, JSON where none is asked for, and never echoes a token', async () => {
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

  it('refuses subprotocols of which it knows none with 426', async () => {
    const node = await start();
    expect((await refusal(node.url, { protocols: ['stentor.v2.msgpack', 'mqtt'] })).status).toBe(426);
  });

  it('lets in the origins that it is told to, and requests without one', async () => {
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
  it('comes by the Authorization header, by a subprotocol entry, or by the first message', async () => {
    const node = await start();
    const token = await tokenOf({ sub: 'bob' });
    const byHeader = await node.connect({ encoding: 'json', token });
    expect(await byHeader.next('connected')).toMatchObject({
      user: 'bob',
      nodeId: node.running.nodeId,
      connectionId: expect.any(String),
      expiresAtMs: expect.any(Number),
      pingIntervalMs: 25_000,
      limits: { messageBytesMax: 65_536, topicsMax: 128, messagesPerSecondMax: 100 },
    });
    const byEntry = await node.connect({ encoding: 'json', protocols: ['stentor.v1.json', `bearer.${token}`] });
    expect(await byEntry.next('connected')).toMatchObject({ user: 'bob' });
    const byMessage = await node.connect();
    expect(await byMessage.get('connected', { type: 'connect', token })).toMatchObject({ user: 'bob' });
  });

  it('comes by the query only where that is allowed, and then stays out of the log', async () => {
    const token = await tokenOf({ sub: 'bob' });
    const strict = await start();
    const ignored = await TestClient.connect(`${strict.url}?token=${token}`, { encoding: 'json' });
    expect(await ignored.get('connected', { type: 'connect' })).toMatchObject({ user: null });
    await ignored.close();

    const lenient = await start({ 'auth.allowQueryToken': true, 'log.level': 'trace' });
    const taken = await TestClient.connect(`${lenient.url}?token=${token}`, { encoding: 'json' });
    expect(await taken.next('connected')).toMatchObject({ user: 'bob' });
    await taken.close();
    expect((await refusal(`${lenient.url}?token=${token}x`)).status).toBe(401);
    expect(lenient.log.join('')).not.toContain(token.slice(0, 20));
  });

  it('is refused with 401 when it does not hold', async () => {
    const node = await start();
    const token = await tokenOf();
    for (const bad of ['', 'no-jwt', 'a.b.c', `${token}x`, token.slice(0, -1), await tokenOf({ expiresInMs: -60_000 })]) {
      expect((await refusal(node.url, { encoding: 'json', token: bad })).status, bad).toBe(401);
    }
    expect((await refusal(node.url, { protocols: ['stentor.v1.json', 'bearer.x'] })).status).toBe(401);
    expect(await node.metric('stentor_upgrades_refused_total', { status: '401' })).toBe(7);
    expect(node.log.join('')).not.toContain(token.slice(0, 20));
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

    const sockets = Array.from({ length: 20 }, () => connect(node.running.port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.write(
        [
          'GET /ws HTTP/1.1',
          'Host: localhost',
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          `Authorization: Bearer ${token}`,
          '\r\n',
        ].join('\r\n'),
      );
    }
    await until('the key set to be asked for', () => waiting.length > 0);
    for (const socket of sockets) socket.destroy();
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
    const client = await node.connect();
    await client.settle();
    for (const answer of waiting) answer();
    // The node is still there, and says that it could not fetch the keys.
    const late = refusal(node.url, { encoding: 'json', token });
    await until('another look at the key set', () => waiting.length > 1);
    waiting.at(-1)?.();
    const refused = await late;
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) } });
    await client.settle();
  });
});

describe('a worker at capacity', () => {
  it('refuses with 503 and Retry-After, and takes connections again when some have gone', async () => {
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

  it('counts those whose tokens are being checked', async () => {
    const node = await start({ 'limits.connectionsPerWorkerMax': 2 });
    const token = await tokenOf();
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => node.connect({ encoding: 'json', token })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(await node.metric('stentor_connections')).toBe(2);
  });
});
