import { request } from 'node:https';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { type Backends, ca, PAGE, PROXY_KINDS, type ProxyKind, removeProxyFiles } from '../support/page-proxies.ts';
import type { ProxyProcess } from '../support/proxy-process.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});
afterAll(removeProxyFiles);

const KINDS = PROXY_KINDS.map((kind) => ({
  ...kind,
  async start(...of: Parameters<ProxyKind['start']>) {
    const proxy = await kind.start(...of);
    running.push(() => proxy.stop());
    return proxy;
  },
}));

async function startNodes(first: Record<string, unknown> = {}, second: Record<string, unknown> = {}): Promise<[TestNode, TestNode]> {
  const common = { namespaces: { scores: { public: true } }, 'tls.terminatedUpstream': true };
  const nodes = [await TestNode.start({ ...common, ...first }), await TestNode.start({ ...common, ...second })] as [TestNode, TestNode];
  for (const node of nodes) running.push(() => node.stop());
  return nodes;
}

async function connect(proxy: ProxyProcess, headers: Readonly<Record<string, string>> = {}): Promise<TestClient> {
  const client = await TestClient.connect(`wss://127.0.0.1:${proxy.port}/ws`, { encoding: 'msgpack', socket: { ca, headers } });
  running.push(() => client.close());
  return client;
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
      running.push(async () => socket.destroy());
      done();
    });
    asked.end();
  });
  await made;
  return cookie;
}

/** A stream of events, as text. */
function stream(proxy: ProxyProcess): { readonly status: number; readonly text: string; readonly ended: boolean } {
  const told = { status: 0, text: '', ended: false };
  const asked = request({ port: proxy.port, host: '127.0.0.1', path: '/sse?topic=scores.a', ca, agent: false }, (response) => {
    told.status = response.statusCode ?? 0;
    response.setEncoding('utf8').on('data', (text: string) => {
      told.text += text;
    });
    response.once('close', () => {
      told.ended = true;
    });
    response.once('error', () => undefined);
  });
  asked.once('error', () => {
    told.ended = true;
  });
  asked.end();
  running.push(async () => asked.destroy());
  return told;
}

const connectionsOf = (nodes: Backends) => Promise.all(nodes.map((node) => node.metric('stentor_connections')));

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
      const proxy = await kind.start(nodes);
      const clients: TestClient[] = [];
      for (let i = 0; i < 10; i++) clients.push(await connect(proxy));
      const counts = await connectionsOf(nodes);
      expect(counts[0]! + counts[1]!).toBe(10);
      expect(Math.min(...counts)).toBeGreaterThan(0);
      for (const client of clients) {
        client.track('scores.a');
        await client.subscribe('scores.a');
      }
      for (let n = 0; n < 5; n++) for (const node of nodes) await node.publish('scores.a', n);
      for (const client of clients) await until('the publications', () => client.track('scores.a').items.length === 5);
    });

    it('streams of events pass event by event', async () => {
      const nodes = await startNodes();
      const events = stream(await kind.start(nodes));
      await until('the stream to begin', () => events.text.includes('event: subscribed'));
      for (const n of ['first', 'second']) {
        for (const node of nodes) await node.publish('scores.a', n);
        await until(`the ${n} event`, () => events.text.includes(n));
      }
      expect(events).toMatchObject({ status: 200, ended: false });
    });

    it('headers as large as a token of 16 KiB pass', async () => {
      const proxy = await kind.start(await startNodes());
      const refused = await connect(proxy, { authorization: `Bearer ${'x'.repeat(16_384)}` }).catch((error) => error as { status: number });
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
      for (let i = 0; i < 8; i++) await connect(proxy);
      expect(await connectionsOf(nodes)).toEqual([1, 7]);
    });

    it('a node that has stopped gets no clients', async () => {
      const nodes = await startNodes();
      const proxy = await kind.start(nodes);
      await connect(proxy);
      await nodes[0].running.stop();
      for (let i = 0; i < 4; i++) await until('a connection', () => connect(proxy));
      expect(await nodes[1].metric('stentor_connections')).toBeGreaterThanOrEqual(4);
    });

    it('pings keep a silent connection open, if they come more often than the timeout; else the proxy closes it', async () => {
      const timeouts = PAGE.match(/120s/g)?.length ?? 0;
      expect(timeouts).toBeGreaterThan(3);
      const often = { 'heartbeat.pingIntervalMs': 400, 'tuning.connections.pongTimeoutMs': 300 };
      const proxy = await kind.start(await startNodes(often, often), { '120s': '2s' });
      const events = stream(proxy);
      const client = await connect(proxy);
      // Ten pings take twice the timeout.
      await until('ten pings', () => client.pings >= 10);
      await client.settle();
      expect(events).toMatchObject({ status: 200, ended: false });
      const seldom = await kind.start(await startNodes(), { '120s': '2s' });
      expect(await (await connect(seldom)).closed).toMatchObject({ code: 1006 });
    });

    it.runIf(kind.checksHealth)('a node that is not ready gets no clients, and keeps those that it has', async () => {
      const nodes = await startNodes();
      const proxy = await kind.start(nodes);
      const clients = [await connect(proxy), await connect(proxy), await connect(proxy), await connect(proxy)];
      expect(Math.min(...(await connectionsOf(nodes)))).toBeGreaterThan(0);
      // As when NATS is away: it says that it is not ready, and would accept clients.
      Object.defineProperty(nodes[0].bus, 'connected', { get: () => false });
      const fourMore = async () => {
        const [before] = await connectionsOf(nodes);
        for (let i = 0; i < 4; i++) await connect(proxy);
        return (await connectionsOf(nodes))[0] === before;
      };
      // Once may be chance: the proxies choose the less busy of two at random.
      await until('the proxy to notice', async () => (await fourMore()) && (await fourMore()) && (await fourMore()));
      expect(await fourMore()).toBe(true);
      for (const client of clients) await client.settle();
    });
  });
}

describe.runIf(KINDS[0]!.program !== undefined)('clients stay on a node behind nginx', () => {
  it('with ip_hash', async () => {
    const nodes = await startNodes();
    const proxy = await KINDS[0]!.start(nodes, { '    least_conn;': '    ip_hash;' });
    for (let i = 0; i < 6; i++) await connect(proxy);
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
      for (let i = 0; i < 3; i++) await connect(proxy, { cookie });
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
    for (let i = 0; i < 5; i++) await connect(proxy, { cookie });
    expect((await connectionsOf(nodes)).toSorted()).toEqual([0, 6]);
  });
});
