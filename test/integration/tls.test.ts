import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { KeyFiles, type KeyPair, makeCertificates } from '../support/certificates.ts';
import { isAlive } from '../support/is-alive.ts';
import { TestNode } from '../support/node.ts';
import { NodeProcess } from '../support/node-process.ts';
import { Refused, TestClient, type TestClientOptions } from '../support/test-client.ts';
import { tlsHandshake } from '../support/tls-handshake.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-tls-'));
const certs = makeCertificates(folder);
const ca = readFileSync(certs.ca);
const renewed = certs.sign('renewed', { altNames: 'IP:127.0.0.1,DNS:localhost', days: 30 });
const named = certs.sign('named', { altNames: 'DNS:a.example.com' });
const wild = certs.sign('wild', { altNames: 'DNS:*.wild.example.com', key: ['-newkey', 'rsa:2048', '-nodes'] });

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NAMESPACES = { scores: { public: true } };
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const newFiles = () => new KeyFiles(mkdtempSync(join(folder, 'node-')), certs.server);
const settingsOf = ({ certFile, keyFile }: KeyFiles) => ({
  namespaces: NAMESPACES,
  'tls.certFile': certFile,
  'tls.keyFile': keyFile,
  'tuning.connections.certificateCheckIntervalMs': 100,
});

async function startHere(more: Record<string, unknown> = {}, options = {}): Promise<TestNode & { readonly files: KeyFiles }> {
  const files = newFiles();
  const node = await TestNode.start({ ...settingsOf(files), ...more }, options);
  closing.push(() => node.stop());
  return Object.assign(node, { files });
}

async function client(port: number, { socket, ...options }: TestClientOptions = {}): Promise<TestClient> {
  const made = await TestClient.connect(`wss://127.0.0.1:${port}/ws`, { encoding: 'msgpack', ...options, socket: { ca, ...socket } });
  closing.push(() => made.close());
  return made;
}

const handshake = (port: number, options: ConnectionOptions = {}) => tlsHandshake(port, { ca, ...options });
const nameAt = async (port: number, options: ConnectionOptions = {}) => (await handshake(port, options)).certificate.subject.CN;

function get(port: number, path: string, options: ConnectionOptions = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, ca, agent: false, ...options }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.once('error', reject).end();
  });
}

describe('a node with tls.certFile', () => {
  it('serves clients over TLS 1.2 and 1.3, and refuses older versions', async () => {
    const { running } = await startHere();
    expect((await handshake(running.port, { maxVersion: 'TLSv1.2' })).version).toBe('TLSv1.2');
    expect((await handshake(running.port)).version).toBe('TLSv1.3');
    const old: ConnectionOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(handshake(running.port, old)).rejects.toThrow(/protocol version/);
  });

  it.each(['AES128-SHA', 'AES256-GCM-SHA384', 'ECDHE-ECDSA-AES128-SHA'])('refuses %s of TLS 1.2', async (ciphers) => {
    const { running } = await startHere();
    const weak: ConnectionOptions = { maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` };
    await expect(handshake(running.port, weak)).rejects.toThrow(/handshake failure/);
  });

  it('delivers to them, and serves nobody without TLS on the same port', async () => {
    const node = await startHere();
    const one = await client(node.running.port);
    await one.get('connected', { type: 'connect' });
    one.track('scores.a');
    await one.subscribe('scores.a');
    await node.publish('scores.a', 'goal');
    await until('the publication', () => one.track('scores.a').items.length === 1);
    await expect(TestClient.connect(node.url)).rejects.toThrow();
    await expect(fetch(`http://127.0.0.1:${node.running.port}/`)).rejects.toThrow();
    expect(await node.metric('stentor_connections')).toBe(1);
  });

  it('presents the certificate of the name that a client asks for, and delivers to all of them', async () => {
    const serverNames = [
      { name: 'a.example.com', certFile: named.cert, keyFile: named.key },
      { name: '*.wild.example.com', certFile: wild.cert, keyFile: wild.key },
    ];
    const node = await startHere({ 'tls.serverNames': serverNames });
    const { port } = node.running;
    expect(await nameAt(port)).toBe('server');
    expect(await nameAt(port, { servername: 'a.example.com' })).toBe('named');
    expect(await nameAt(port, { servername: 'b.wild.example.com' })).toBe('wild');
    expect(await nameAt(port, { servername: 'localhost' })).toBe('server');
    for (const servername of ['localhost', 'a.example.com']) {
      expect((await get(port, '/history?topic=scores.a&last=1', { servername })).status).toBe(200);
    }
    const clients = [
      await client(port),
      await client(port, { socket: { servername: 'a.example.com' } }),
      await client(port, { encoding: 'json', socket: { servername: 'b.wild.example.com' } }),
    ];
    for (const each of clients) {
      each.track('scores.a');
      await each.subscribe('scores.a');
    }
    for (let n = 0; n < 20; n++) await node.publish('scores.a', n);
    for (const each of clients) await until('all publications', () => each.track('scores.a').items.length === 20);
    expect(await node.metric('stentor_tls_certificate_expires_timestamp_seconds', { name: 'a.example.com' })).toBeGreaterThan(
      Date.now() / 1000,
    );
  });

  it('lets in only clients with a certificate of tls.caFile, if it is set', async () => {
    const others = mkdtempSync(join(folder, 'others-'));
    const foreign = makeCertificates(others).client;
    const { running } = await startHere({ 'tls.caFile': certs.ca }, { demo: { feeds: true } });
    const pair = ({ cert, key }: KeyPair) => ({ cert: readFileSync(cert), key: readFileSync(key) });
    const refused = await client(running.port).catch((error) => error as Refused);
    expect([refused instanceof Refused, (refused as Refused).status]).toEqual([true, 403]);
    for (const path of ['/', '/history?topic=scores.a']) expect((await get(running.port, path)).status).toBe(403);
    await expect(client(running.port, { socket: pair(foreign) })).rejects.toThrow();
    const one = await client(running.port, { socket: pair(certs.client) });
    expect(await one.get('connected', { type: 'connect' })).toMatchObject({ type: 'connected' });
  });

  it('sends its pages with a policy, and tells browsers to use only TLS', async () => {
    const { running } = await startHere({}, { demo: { feeds: true } });
    const { status, headers } = await get(running.port, '/');
    expect([status, headers]).toEqual([
      200,
      expect.objectContaining({
        'strict-transport-security': 'max-age=31536000',
        'content-security-policy': expect.stringContaining("default-src 'none'; script-src 'self'"),
        'x-content-type-options': 'nosniff',
      }),
    ]);
  });

  it('serves the admin port over TLS where admin.tls is set, and says so to browsers', async () => {
    const node = await startHere({ 'admin.tls': true });
    const { status, headers, body } = await get(node.running.adminPort, '/health/ready');
    expect([status, body, headers['strict-transport-security']]).toEqual([200, 'ready\n', 'max-age=31536000']);
    await expect(node.admin('/health/ready')).rejects.toThrow();
    node.files.put(renewed);
    await until('the renewed certificate', async () => (await nameAt(node.running.adminPort)) === 'renewed');
  });
});

describe('a node without TLS', () => {
  it('sends its pages with the same policy, and nothing that would make browsers use TLS', async () => {
    const node = await TestNode.start({ namespaces: NAMESPACES }, { demo: { feeds: true } });
    closing.push(() => node.stop());
    const { headers } = await fetch(`http://127.0.0.1:${node.running.port}/`);
    expect([headers.get('strict-transport-security'), headers.get('x-content-type-options')]).toEqual([null, 'nosniff']);
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect((await node.admin('/')).headers.get('strict-transport-security')).toBeNull();
  });

  it('tells browsers to use only TLS if a proxy in front terminates it', async () => {
    const node = await TestNode.start({ namespaces: NAMESPACES, 'tls.terminatedUpstream': true }, { demo: { feeds: true } });
    closing.push(() => node.stop());
    const { headers } = await fetch(`http://127.0.0.1:${node.running.port}/`);
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000');
  });
});

describe('renewed certificates', () => {
  it('are used without a restart of the node: its clients get closing, and come back', async () => {
    const node = await startHere();
    const { port } = node.running;
    const one = await client(port);
    await one.get('connected', { type: 'connect' });
    node.files.put(renewed);
    expect(await one.next('closing')).toMatchObject({ code: 4200, reconnectAfterMs: { min: 0, max: 5000 } });
    expect(await one.closed).toMatchObject({ code: 4200 });
    expect(await nameAt(port)).toBe('renewed');
    const again = await client(port);
    again.track('scores.a');
    await again.subscribe('scores.a');
    await node.publish('scores.a', 1);
    await until('the publication', () => again.track('scores.a').items.length === 1);
    await node.untilMetric('stentor_workers', (workers) => workers === 1);
  });

  it('end a stream of events with closing, too', async () => {
    const node = await startHere();
    let text = '';
    const ended = new Promise<void>((resolve, reject) => {
      const asked = request({ port: node.running.port, host: '127.0.0.1', path: '/sse?topic=scores.a', ca, agent: false }, (response) => {
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('close', resolve);
      });
      asked.once('error', reject).end();
    });
    await until('the stream to begin', () => text.includes('event: subscribed'));
    node.files.put(renewed);
    await ended;
    expect(text).toMatch(/event: closing[\s\S]*"code":4200/);
  });

  it('are used by all workers, one after the other, while others accept clients', async () => {
    const files = newFiles();
    const node = await launch(files);
    const before = node.workerPids;
    const clients = await Promise.all(Array.from({ length: 20 }, () => client(node.port)));
    files.put(renewed);
    for (const each of clients) expect(await each.next('closing')).toMatchObject({ code: 4200 });
    await node.untilLine('certificates renewed');
    for (let i = 0; i < 20; i++) expect(await nameAt(node.port)).toBe('renewed');
    expect(node.lines.filter(({ msg }) => /unexpectedly/.test(msg))).toEqual([]);
    expect(await node.metric('stentor_workers')).toBe(2);
    expect(await node.metric('stentor_worker_restarts_total')).toBe(0);
    expect(await node.metric('stentor_tls_renewals_total', { result: 'used' })).toBe(1);
    expect(before.some(isAlive)).toBe(false);
  });

  it('that cannot be used are not: open connections stay, and a worker that crashes starts again with the last good ones', async () => {
    const files = newFiles();
    const node = await launch(files);
    const one = await client(node.port);
    writeFileSync(files.certFile, 'rubbish');
    const { why } = await node.untilLine('the renewed certificates cannot be used; the last ones stay in use');
    expect(why).toMatch(/^tls\.certFile .*no -----BEGIN CERTIFICATE/);
    const expires = await node.metric('stentor_tls_certificate_expires_timestamp_seconds', { name: 'default' });
    expect(Math.round((expires - Date.now() / 1000) / 86_400)).toBe(2);
    const killed = node.workerPids;
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    expect(await one.closed).toMatchObject({ code: 1006 });
    await until('both workers again', () => node.workerPids.every((pid) => !killed.includes(pid)));
    for (let i = 0; i < 10; i++) expect(await nameAt(node.port)).toBe('server');
    files.put(renewed);
    await node.untilLine('certificates renewed');
    expect(await nameAt(node.port)).toBe('renewed');
  });
});

async function launch(files: KeyFiles): Promise<NodeProcess> {
  const node = NodeProcess.launch(settingsOf(files));
  closing.push(() => node.stop());
  await node.untilStarted(2);
  return node;
}
