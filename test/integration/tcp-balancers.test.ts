import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { BehindProxy, connectionsOf, PINGS_OFTEN } from '../support/behind-proxy.ts';
import { KeyFiles } from '../support/certificates.ts';
import type { TestNode } from '../support/node.ts';
import { ca, certs, removeProxyFiles } from '../support/page-proxies.ts';
import { TCP_BALANCERS } from '../support/tcp-balancers.ts';
import type { TestClient } from '../support/test-client.ts';
import { tlsHandshake } from '../support/tls-handshake.ts';
import { until } from '../support/until.ts';

const behind = new BehindProxy();
afterEach(() => behind.stop());
afterAll(removeProxyFiles);

const first = certs.sign('first-node', { altNames: 'IP:127.0.0.1' });
const second = certs.sign('second-node', { altNames: 'IP:127.0.0.1' });

/** Two nodes, each with a certificate of its own: what a client is shown says which one it has reached. */
async function startNodes(more: Readonly<Record<string, unknown>> = {}): Promise<[TestNode, TestNode]> {
  const nodes = [];
  for (const pair of [first, second]) {
    const { certFile, keyFile } = new KeyFiles(mkdtempSync(join(tmpdir(), 'stentor-tcp-')), pair);
    nodes.push(await behind.node({ 'tls.certFile': certFile, 'tls.keyFile': keyFile, ...more }));
  }
  return nodes as [TestNode, TestNode];
}

for (const balancer of TCP_BALANCERS) {
  const start = (...of: Parameters<typeof balancer.start>) => behind.proxy(balancer.start(...of));

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
        await behind.expectShared(nodes, proxy);
      });

      it('send streams of events event by event', async () => {
        const nodes = await startNodes();
        await behind.expectEventByEvent(nodes, await start(nodes));
      });

      it('drain: the clients are told so, and are on the other node when they come back', async () => {
        const nodes = await startNodes();
        const proxy = await start(nodes);
        const clients: TestClient[] = [];
        await until('clients on both', async () => {
          clients.push(await behind.connect(proxy));
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
        for (const _ of ends) await until('a connection', () => behind.connect(proxy));
        await nodes[1].untilMetric('stentor_connections', (count) => count === clients.length);
      });

      it('keep silent connections open by their pings; without these the balancer ends them', async () => {
        const often = await start(await startNodes(PINGS_OFTEN), { '120s': '2s' });
        await behind.expectKeptByPings(often, async () => start(await startNodes(), { '120s': '2s' }));
      });

      it.runIf(balancer.checksHealth)('get no clients while they are not ready, and keep those that they have', async () => {
        const nodes = await startNodes();
        const proxy = await start(nodes);
        const clients: TestClient[] = [];
        await until('clients on both', async () => {
          clients.push(await behind.connect(proxy));
          return Math.min(...(await connectionsOf(nodes))) > 0;
        });
        await behind.expectAvoidedWhileNotReady(nodes, proxy, clients);
      });
    },
  );
}
