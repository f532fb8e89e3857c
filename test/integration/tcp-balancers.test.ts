import { mkdtempSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { KeyFiles } from '../support/certificates.ts';
import { TestNode } from '../support/node.ts';
import { type Backends, ca, certs, removeProxyFiles } from '../support/page-proxies.ts';
import type { ProxyProcess } from '../support/proxy-process.ts';
import { TCP_BALANCERS } from '../support/tcp-balancers.ts';
import { TestClient } from '../support/test-client.ts';
import { tlsHandshake } from '../support/tls-handshake.ts';
import { until } from '../support/until.ts';

const running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});
afterAll(removeProxyFiles);

const first = certs.sign('first-node', { altNames: 'IP:127.0.0.1' });
const second = certs.sign('second-node', { altNames: 'IP:127.0.0.1' });

/** Two nodes, each with a certificate of its own: what a client is shown says which one it has reached. */
async function startNodes(more: Readonly<Record<string, unknown>> = {}): Promise<[TestNode, TestNode]> {
  const nodes = [];
  for (const pair of [first, second]) {
    const { certFile, keyFile } = new KeyFiles(mkdtempSync(join(tmpdir(), 'stentor-tcp-')), pair);
    const settings = { namespaces: { scores: { public: true } }, 'tls.certFile': certFile, 'tls.keyFile': keyFile, ...more };
    const node = await TestNode.start(settings);
    running.push(() => node.stop());
    nodes.push(node);
  }
  return nodes as [TestNode, TestNode];
}

async function connect(proxy: ProxyProcess): Promise<TestClient> {
  const client = await TestClient.connect(`wss://127.0.0.1:${proxy.port}/ws`, { encoding: 'msgpack', socket: { ca } });
  running.push(() => client.close());
  return client;
}

/** A stream of events, as text. */
function stream(proxy: ProxyProcess): { readonly text: string; readonly ended: boolean } {
  const told = { text: '', ended: false };
  const asked = request({ port: proxy.port, host: '127.0.0.1', path: '/sse?topic=scores.a', ca, agent: false }, (response) => {
    response.setEncoding('utf8').on('data', (text: string) => {
      told.text += text;
    });
    response.once('error', () => undefined);
    response.once('close', () => {
      told.ended = true;
    });
  });
  asked.once('error', () => {
    told.ended = true;
  });
  asked.end();
  running.push(async () => asked.destroy());
  return told;
}

const connectionsOf = (nodes: Backends) => Promise.all(nodes.map((node) => node.metric('stentor_connections')));

for (const balancer of TCP_BALANCERS) {
  const start = async (...of: Parameters<typeof balancer.start>) => {
    const proxy = await balancer.start(...of);
    running.push(() => proxy.stop());
    return proxy;
  };

  describe.runIf(balancer.program !== undefined)(
    `nodes with TLS behind ${balancer.name} for TCP, with the configuration of PROXIES.md`,
    () => {
      it('make the TLS handshake themselves, share the clients, and deliver to them', async () => {
        const nodes = await startNodes();
        const proxy = await start(nodes);
        const names = new Set<string>();
        await until('both certificates', async () => {
          const { certificate } = await tlsHandshake(proxy.port, { ca });
          return names.add(certificate.subject.CN as string).size === 2;
        });
        expect(names).toEqual(new Set(['first-node', 'second-node']));
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

      it('send streams of events event by event', async () => {
        const nodes = await startNodes();
        const events = stream(await start(nodes));
        await until('the stream to begin', () => events.text.includes('event: subscribed'));
        for (const n of ['first', 'second']) {
          for (const node of nodes) await node.publish('scores.a', n);
          await until(`the ${n} event`, () => events.text.includes(n));
        }
        expect(events.ended).toBe(false);
      });

      it('drain: the clients are told so, and are on the other node when they come back', async () => {
        const nodes = await startNodes();
        const proxy = await start(nodes);
        const clients: TestClient[] = [];
        await until('clients on both', async () => {
          clients.push(await connect(proxy));
          return clients.length >= 6 && Math.min(...(await connectionsOf(nodes))) > 0;
        });
        const [atFirst, atSecond] = await connectionsOf(nodes);
        expect(atFirst! + atSecond!).toBe(clients.length);
        const ends: { readonly code: number; readonly types: readonly string[] }[] = [];
        for (const client of clients) {
          void client.closed.then(({ code }) => ends.push({ code, types: client.messages.map(({ type }) => type) }));
        }
        await nodes[0].running.stop();
        await until('all of its clients to be closed', () => ends.length === atFirst);
        for (const end of ends) expect(end).toMatchObject({ code: 4200, types: expect.arrayContaining(['closing']) });
        for (const _ of ends) await until('a connection', () => connect(proxy));
        await nodes[1].untilMetric('stentor_connections', (count) => count === clients.length);
      });

      it('keep silent connections open by their pings; without these the balancer ends them', async () => {
        const often = { 'heartbeat.pingIntervalMs': 400, 'tuning.connections.pongTimeoutMs': 300 };
        const proxy = await start(await startNodes(often), { '120s': '2s' });
        const events = stream(proxy);
        const client = await connect(proxy);
        // Ten pings take twice the timeout.
        await until('ten pings', () => client.pings >= 10);
        await client.settle();
        expect(events.ended).toBe(false);
        const seldom = await start(await startNodes(), { '120s': '2s' });
        expect(await (await connect(seldom)).closed).toMatchObject({ code: 1006 });
      });

      it.runIf(balancer.checksHealth)('get no clients while they are not ready, and keep those that they have', async () => {
        const nodes = await startNodes();
        const proxy = await start(nodes);
        const clients: TestClient[] = [];
        await until('clients on both', async () => {
          clients.push(await connect(proxy));
          return Math.min(...(await connectionsOf(nodes))) > 0;
        });
        // As when NATS is away: it says that it is not ready, and would accept clients.
        Object.defineProperty(nodes[0].bus, 'connected', { get: () => false });
        const fourMore = async () => {
          const [before] = await connectionsOf(nodes);
          for (let i = 0; i < 4; i++) await connect(proxy);
          return (await connectionsOf(nodes))[0] === before;
        };
        // Once may be chance: the balancers choose the less busy of two at random.
        await until('the balancer to notice', async () => (await fourMore()) && (await fourMore()) && (await fourMore()));
        expect(await fourMore()).toBe(true);
        for (const client of clients) await client.settle();
      });
    },
  );
}
