import { request } from 'node:https';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { BehindProxy, connectionsOf, PINGS_OFTEN } from '../support/behind-proxy.ts';
import type { TestNode } from '../support/node.ts';
import { ca, PAGE, PROXY_KINDS, type ProxyKind, removeProxyFiles } from '../support/page-proxies.ts';
import type { ProxyProcess } from '../support/proxy-process.ts';
import { until } from '../support/until.ts';

const behind = new BehindProxy();
afterEach(() => behind.stop());
afterAll(removeProxyFiles);

const KINDS = PROXY_KINDS.map((kind) => ({
  ...kind,
  start: (...of: Parameters<ProxyKind['start']>) => behind.proxy(kind.start(...of)),
}));

async function startNodes(first: Record<string, unknown> = {}, second: Record<string, unknown> = {}): Promise<[TestNode, TestNode]> {
  const common = { 'tls.terminatedUpstream': true };
  return [await behind.node({ ...common, ...first }), await behind.node({ ...common, ...second })];
}

/** The cookies that an answer to an upgrade sets, as a client sends them back. */
async function connectForCookie(proxy: ProxyProcess): Promise<string> {
  let cookie = '';
  const made = new Promise<void>((done) => {
    const asked = request({
      port: proxy.port,
      host: '127.0.0.1',
      path: '/ws',
      ca,
      agent: false,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    });
    asked.once('upgrade', (response, socket) => {
      cookie = response.headers['set-cookie']?.map((each) => each.split(';')[0]).join('; ') ?? '';
      behind.onStop(async () => socket.destroy());
      done();
    });
    asked.end();
  });
  await made;
  return cookie;
}

/** Who refuses a body may close before it has read all of it. Then the answer can be lost, and the client asks again. */
function post(proxy: ProxyProcess, bytes: number): Promise<number> {
  return until('an answer', () => {
    return new Promise<number | undefined>((done) => {
      const asked = request({ port: proxy.port, host: '127.0.0.1', path: '/publish', method: 'POST', ca, agent: false }, (response) => {
        response.resume();
        done(response.statusCode);
      });
      asked.once('error', () => done(undefined));
      asked.end(Buffer.alloc(bytes));
    });
  });
}

for (const kind of KINDS) {
  describe.runIf(kind.program !== undefined)(`behind ${kind.name}, with the configuration of PROXIES.md`, () => {
    it('clients connect over TLS, are spread over the nodes, and get what is published', async () => {
      const nodes = await startNodes();
      await behind.expectShared(nodes, await kind.start(nodes));
    });

    it('streams of events pass event by event', async () => {
      const nodes = await startNodes();
      await behind.expectEventByEvent(nodes, await kind.start(nodes));
    });

    it('headers as large as a token of 16 KiB pass', async () => {
      const proxy = await kind.start(await startNodes());
      const refused = await behind
        .connect(proxy, { authorization: `Bearer ${'x'.repeat(16_384)}` })
        .catch((error) => error as { status: number });
      expect(refused).toMatchObject({ status: 401 });
    });

    it.runIf(kind.limitsBodies)('bodies of 100 KiB pass, larger ones than 128 KiB do not', async () => {
      const proxy = await kind.start(await startNodes({ 'limits.messageBytesMax': 150 * 1024 }));
      // The node has read it: it is no JSON.
      expect(await post(proxy, 100 * 1024)).toBe(400);
      expect(await post(proxy, 200 * 1024)).toBe(413);
    });

    it('a client that a full node refuses with 503 gets another one', async () => {
      const nodes = await startNodes({ 'limits.connectionsPerWorkerMax': 1 });
      const proxy = await kind.start(nodes);
      for (let i = 0; i < 8; i++) await behind.connect(proxy);
      expect(await connectionsOf(nodes)).toEqual([1, 7]);
    });

    it('a node that has stopped gets no clients', async () => {
      const nodes = await startNodes();
      const proxy = await kind.start(nodes);
      await behind.connect(proxy);
      await nodes[0].running.stop();
      for (let i = 0; i < 4; i++) await until('a connection', () => behind.connect(proxy));
      expect(await nodes[1].metric('stentor_connections')).toBeGreaterThanOrEqual(4);
    });

    it('pings keep a silent connection open, if they come more often than the timeout; else the proxy closes it', async () => {
      const timeouts = PAGE.match(/120s/g)?.length ?? 0;
      expect(timeouts).toBeGreaterThan(3);
      const often = await kind.start(await startNodes(PINGS_OFTEN, PINGS_OFTEN), { '120s': '2s' });
      await behind.expectKeptByPings(often, async () => kind.start(await startNodes(), { '120s': '2s' }));
    });

    it.runIf(kind.checksHealth)('a node that is not ready gets no clients, and keeps those that it has', async () => {
      const nodes = await startNodes();
      const proxy = await kind.start(nodes);
      const clients = [await behind.connect(proxy), await behind.connect(proxy), await behind.connect(proxy), await behind.connect(proxy)];
      expect(Math.min(...(await connectionsOf(nodes)))).toBeGreaterThan(0);
      await behind.expectAvoidedWhileNotReady(nodes, proxy, clients);
    });
  });
}

describe.runIf(KINDS[0]!.program !== undefined)('clients stay on a node behind nginx', () => {
  it('with ip_hash', async () => {
    const nodes = await startNodes();
    const proxy = await KINDS[0]!.start(nodes, { '    least_conn;': '    ip_hash;' });
    for (let i = 0; i < 6; i++) await behind.connect(proxy);
    expect((await connectionsOf(nodes)).toSorted()).toEqual([0, 6]);
  });

  it('with a cookie', async () => {
    const nodes = await startNodes();
    const changes = { '    least_conn;': '    hash $uid_got$uid_set consistent;', '# userid on;': 'userid on;' };
    const proxy = await KINDS[0]!.start(nodes, changes);
    for (let client = 0; client < 4; client++) {
      const before = await connectionsOf(nodes);
      const cookie = await connectForCookie(proxy);
      expect(cookie).toMatch(/^stentor=/);
      for (let i = 0; i < 3; i++) await behind.connect(proxy, { cookie });
      const grown = (await connectionsOf(nodes)).map((count, i) => count - before[i]!);
      expect(grown.toSorted()).toEqual([0, 4]);
    }
  });
});

describe.runIf(KINDS[1]!.program !== undefined)('clients stay on a node behind HAProxy', () => {
  it('with a cookie', async () => {
    const nodes = await startNodes();
    const proxy = await KINDS[1]!.start(nodes, { '# cookie stentor': 'cookie stentor' });
    const cookie = await connectForCookie(proxy);
    expect(cookie).toMatch(/^stentor=node[12]$/);
    for (let i = 0; i < 5; i++) await behind.connect(proxy, { cookie });
    expect((await connectionsOf(nodes)).toSorted()).toEqual([0, 6]);
  });
});
