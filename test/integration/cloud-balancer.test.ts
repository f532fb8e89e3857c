import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { makeCertificates } from '../support/certificates.ts';
import { EventClient } from '../support/event-client.ts';
import { findTool } from '../support/find-tool.ts';
import { freePort } from '../support/free-port.ts';
import { TestNode } from '../support/node.ts';
import { PAGE } from '../support/page-proxies.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-cloud-'));
const CFN_LINT = findTool('CFN_LINT', 'cfn-lint');
const HAPROXY = findTool('HAPROXY', 'haproxy');

const running: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the templates of a cloud load balancer', () => {
  const templates = Array.from(PAGE.matchAll(/^```yaml\n(# [an]lb\.yaml\n[\s\S]*?)^```$/gm), ([, text = '']) => text);

  it('are two: for TCP and for HTTP', () => {
    expect(templates.map((text) => text.split('\n')[0])).toEqual(['# nlb.yaml', '# alb.yaml']);
  });

  it.runIf(CFN_LINT !== undefined).each(templates.map((text) => [text.split('\n')[0], text]))(
    'are accepted by cfn-lint: %s',
    (name = '', text = '') => {
      const path = join(folder, name.slice(2));
      writeFileSync(path, text);
      const { status, stdout, stderr } = spawnSync(CFN_LINT as string, [path], { encoding: 'utf8' });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    },
  );
});

describe.runIf(HAPROXY !== undefined)('behind a balancer for TCP that asks /health/ready, as an NLB does', () => {
  it('clients have the TLS of the nodes, and a node that is not ready gets no new ones and keeps those that it has', async () => {
    const certs = makeCertificates(folder);
    const ca = readFileSync(certs.ca);
    const settings = {
      namespaces: { scores: { public: true } },
      'tls.certFile': certs.server.cert,
      'tls.keyFile': certs.server.key,
      'admin.host': '0.0.0.0',
      'admin.token': 'the-operators-token',
    };
    const nodes = [await TestNode.start(settings), await TestNode.start(settings)] as const;
    for (const node of nodes) running.push(() => node.stop());
    const port = freePort();
    const path = join(folder, 'tcp.cfg');
    const servers = nodes.map(
      ({ running: { port: clients, adminPort } }, i) =>
        `  server node${i} 127.0.0.1:${clients} check port ${adminPort} inter 200ms fall 2 rise 1`,
    );
    const lines = [
      'defaults',
      '  mode tcp',
      '  timeout connect 5s',
      '  timeout client 350s',
      '  timeout server 350s',
      'listen clients',
      `  bind 127.0.0.1:${port}`,
      '  balance roundrobin',
      '  option httpchk GET /health/ready',
      ...servers,
    ];
    writeFileSync(path, `${lines.join('\n')}\n`);
    const balancer = await ProxyProcess.start(HAPROXY as string, ['-db', '-f', path], port);
    running.push(() => balancer.stop());
    const connect = async () => {
      const client = await TestClient.connect(`wss://127.0.0.1:${port}/ws`, { encoding: 'json', socket: { ca } });
      running.push(() => client.close());
      return client;
    };
    const open = (node: TestNode) => node.metric('stentor_connections');
    const clients = [await connect(), await connect(), await connect(), await connect()];
    const counts = await Promise.all(nodes.map(open));
    expect([counts[0]! + counts[1]!, Math.min(...counts) > 0]).toEqual([4, true]);
    const stream = new EventClient(port, '/sse?topic=scores.a', { ca });
    running.push(() => stream.socket.destroy());
    await stream.next('subscribed');
    for (const node of nodes) await node.publish('scores.a', 1);
    await stream.next('batch');

    Object.defineProperty(nodes[0].bus, 'connected', { get: () => false });
    await until('the balancer to notice', async () => {
      const before = await open(nodes[0]);
      const more = [await connect(), await connect()];
      const stayed = (await open(nodes[0])) === before;
      for (const client of more) await client.close();
      return stayed;
    });
    for (const client of clients) await client.settle();
  });
});
