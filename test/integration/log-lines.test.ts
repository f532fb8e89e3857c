import { afterEach, describe, expect, it } from 'vitest';
import { startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { Refused } from '../support/test-client.ts';
import { secretKey, sign, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  scores: { public: true },
  chat: { clientPublish: true },
  ticks: { state: 'keyed', clientPublish: true },
};
const nodes: TestNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function start(settings: Readonly<Record<string, unknown>> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
  nodes.push(node);
  return node;
}

type Line = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: string };
const linesOf = (node: TestNode, msg: RegExp) => node.log.map((line) => JSON.parse(line) as Line).filter((line) => msg.test(line.msg));
const refusals = (node: TestNode) => linesOf(node, /refused$/);

describe('at debug, a line says why', () => {
  it.each([
    ['an origin', { socket: { headers: { origin: 'https://evil.example' } } }, 403, { origin: 'https://evil.example' }, /allowedOrigins/],
    ['a subprotocol', { protocols: ['stentor.v9.json'] }, 426, {}, /subprotocol/],
    ['a token that is none', { token: 'not-a-jwt' }, 401, {}, /not a JWT/],
  ])('a connection was refused: %s', async (_what, options, status, more, why) => {
    const node = await start({ allowedOrigins: ['https://good.example'] });
    await expect(node.connect({ encoding: 'json', ...options } as never)).rejects.toThrow(Refused);
    expect(refusals(node)).toEqual([
      expect.objectContaining({ level: 'debug', msg: 'connection refused', status, why: expect.stringMatching(why), ...more }),
    ]);
  });

  it('a connection was refused for its token’s end, or key', async () => {
    const node = await start();
    const expired = await tokenOf({ expiresInMs: -60_000 });
    const strange = await sign({ sub: 'a', exp: Date.now() / 1000 + 60 }, secretKey('x'.repeat(64)), { alg: 'HS512', kid: 'k7' });
    for (const token of [expired, strange]) await expect(node.connect({ encoding: 'json', token })).rejects.toThrow(Refused);
    expect(refusals(node).map(({ why }) => why)).toEqual([
      expect.stringMatching(/^the token expired 60 s ago$/),
      expect.stringMatching(/alg is HS512, its kid "k7"$/),
    ]);
  });

  it('a full node refused one, and a wrong path was asked for', async () => {
    const node = await start({ 'limits.connectionsPerWorkerMax': 1 });
    await node.connect();
    await expect(node.connect()).rejects.toThrow(Refused);
    await fetch(node.url.replace('ws:', 'http:').replace('/ws', '/socket.io/?EIO=4'));
    expect(refusals(node)).toEqual([
      expect.objectContaining({ status: 503, why: '1 connections are open' }),
      expect.objectContaining({ status: 404, path: '/socket.io/' }),
    ]);
  });

  it.each(['upgrade', 'connect'])('a token was refused, from its %s, and never the token itself', async (from) => {
    const node = await start({ 'auth.audience': 'stentor' });
    const exp = Date.now() / 1000 + 60;
    const tokens = [await tokenOf(), await sign({ sub: 'a', exp, aud: 'stentor' }, secretKey('another-secret-of-thirty-two-chars!'))];
    for (const token of tokens) {
      const client = await node.connect({ encoding: 'json', ...(from === 'upgrade' && { token }) });
      if (from === 'connect') client.send({ type: 'connect', id: 1, token });
      await client.closed;
    }
    const common = { level: 'debug', msg: 'token refused', command: from, code: 'unauthorized', connectionId: expect.any(String) };
    expect(refusals(node)).toEqual([
      expect.objectContaining({ ...common, why: expect.stringContaining('"aud"'), detail: expect.stringContaining('aud') }),
      expect.objectContaining({ ...common, why: 'the token is not signed with a known key', detail: 'its alg is HS256, its kid not set' }),
    ]);
    for (const token of tokens) expect(node.log.join('\n')).not.toContain(token.slice(0, 30));
    await until('the closes', () => linesOf(node, /^connection closed$/).length === 2);
    expect(linesOf(node, /^connection closed$/)[0]).toMatchObject({ code: 4001, why: 'unauthorized' });
  });

  it('a subscribe or publish was refused: one line each', async () => {
    const node = await start();
    const client = await node.connect({ encoding: 'msgpack', token: await tokenOf({ sub: 'ana', subscribe: [], publish: ['ticks.>'] }) });
    await client.ask({ type: 'subscribe', topic: 'nowhere.a' });
    await client.ask({ type: 'subscribe', topic: 'chat.a' });
    await client.ask({ type: 'publish', topic: 'chat.a', data: 'a secret of its own' });
    await client.ask({ type: 'publish', topic: 'ticks.a', key: 'a\nb', data: 1 });
    await client.subscribe('scores.a');
    const common = { level: 'debug', msg: 'command refused', user: 'ana', why: expect.stringMatching(/.{10}/) };
    expect(refusals(node)).toEqual([
      expect.objectContaining({ ...common, command: 'subscribe', topic: 'nowhere.a', code: 'unknown_namespace' }),
      expect.objectContaining({ ...common, command: 'subscribe', topic: 'chat.a', code: 'forbidden' }),
      expect.objectContaining({ ...common, command: 'publish', topic: 'chat.a', code: 'forbidden' }),
      expect.objectContaining({ ...common, command: 'publish', topic: 'ticks.a', key: 'a\nb', code: 'bad_key' }),
    ]);
    expect(node.log.join('\n')).not.toContain('a secret of its own');
  });

  it('and at info there are none', async () => {
    const node = await start({ 'log.level': 'info' });
    const client = await node.connect();
    await client.ask({ type: 'subscribe', topic: 'nowhere.a' });
    expect(refusals(node)).toEqual([]);
  });
});

describe('each thing', () => {
  it('is logged once: a start, a disconnect and reconnect of NATS, and a stop', async () => {
    const nats = await startNatsServer();
    const node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': nats.url, 'log.level': 'info' });
    const messages = () => node.log.map((line) => (JSON.parse(line) as Line).msg.replaceAll(/nats:\S+|\d+\.\d+\.\S+/g, '…'));
    try {
      const client = await node.connect();
      await client.subscribe('scores.a');
      await nats.kill9();
      await node.untilMetric('stentor_bus_connected', (value) => value === 0);
      await nats.restart();
      await node.untilMetric('stentor_bus_connected', (value) => value === 1);
      await until('the follower', async () => (await node.metric('stentor_follower_restarts_total')) === 1);
      await node.stop();
    } finally {
      await nats.stop();
    }
    const expected = [
      'connected to NATS … at …',
      'worker listening',
      'node started',
      'NATS at … is gone',
      'NATS at … is connected again',
      'node stopping',
      'node stopped',
    ];
    const aside = /the log of|refuses this node/;
    expect(messages().filter((message) => !aside.test(message))).toEqual(expected);
    expect(new Set(messages()).size).toBe(messages().length);
  });
});
