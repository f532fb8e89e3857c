import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { makeOperator } from '../support/nats-jwt.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';
import { busConfig } from './nats-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-login-'));
const buses: Bus[] = [];
const servers: NatsServer[] = [];

afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.stop();
  for (const server of servers.splice(0)) await server.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function serve(config: string): Promise<NatsServer> {
  const server = await startNatsServer({ config });
  servers.push(server);
  return server;
}

async function start(url: string, settings: Record<string, unknown>): Promise<{ bus: Bus; notices: string[] }> {
  const notices: string[] = [];
  const bus = await createBus(busConfig(url, { namespaces: { scores: {} }, ...settings }), {
    onNotice: ({ message }) => void notices.push(message),
  });
  buses.push(bus);
  await bus.start();
  return { bus, notices };
}

const becomes = (bus: Bus, connected: boolean) => until(`connected: ${connected}`, () => bus.connected === connected);
const countOf = (notices: readonly string[], text: string) => notices.filter((notice) => notice.includes(text)).length;

/** A secret's file. Called again, it is replaced. */
function secret(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('a node whose login becomes invalid while it runs', () => {
  it('reconnects when its expired credentials are replaced, and logs the reason once', async () => {
    const operator = makeOperator();
    const server = await serve(operator.config);
    const creds = secret('node.creds', operator.creds(3000));
    const { bus, notices } = await start(server.url, { 'nats.credsFile': creds });
    await becomes(bus, false);
    await until('the file to be named', () => countOf(notices, `nats.credsFile: ${creds} expired at`) > 0);
    await until("the server's word to be told", () => countOf(notices, 'refuses this node: ') >= 2);
    const attempts = server.logged('authentication error');
    await until('more attempts', () => server.logged('authentication error') > attempts + 3);
    const refusals = notices.filter((notice) => notice.includes('refuses this node'));
    expect(new Set(refusals).size).toBe(refusals.length);
    secret('node.creds', operator.creds(3_600_000));
    await becomes(bus, true);
    expect((await bus.log('scores').state()).lastOffset).toBe(0);
  });

  it('reconnects when its file has the new password', async () => {
    const users = (password: string) => `authorization { users = [{ user: ana, password: "${password}" }] }`;
    const server = await serve(users('first-pass'));
    const { bus, notices } = await start(server.url, { 'nats.user': 'ana', 'nats.passwordFile': secret('password', 'first-pass\n') });
    await server.reload(users('second-pass'));
    await becomes(bus, false);
    await until('the reason', () => countOf(notices, 'Authorization Violation') > 0);
    secret('password', 'second-pass\n');
    await becomes(bus, true);
    expect(notices.join()).not.toMatch(/first-pass|second-pass/);
  });

  it('retries while a file is missing, and reconnects when it exists', async () => {
    const server = await serve('authorization { token: "a-long-token" }');
    const path = secret('token', 'a-long-token');
    const { bus, notices } = await start(server.url, { 'nats.tokenFile': path });
    rmSync(path);
    await server.restart();
    await until('the reason', () => countOf(notices, `nats.tokenFile cannot be read: ${path} (ENOENT)`) > 0);
    expect(bus.connected).toBe(false);
    secret('token', 'a-long-token');
    await becomes(bus, true);
    expect(countOf(notices, 'ENOENT')).toBe(1);
  });

  it('reconnects when its CA file is the one that signed the new certificate', async () => {
    const [old, renewed] = ['old', 'renewed'].map((name) => {
      mkdirSync(join(folder, name));
      return makeCertificates(join(folder, name));
    }) as [Certificates, Certificates];
    const tls = ({ server }: Certificates) => `tls {\n cert_file: "${server.cert}"\n key_file: "${server.key}"\n}`;
    const server = await serve(tls(old));
    const ca = secret('ca.pem', readFileSync(old.ca, 'utf8'));
    const { bus, notices } = await start(`tls://127.0.0.1:${server.port}`, { 'nats.tlsCaFile': ca });
    await server.reload(tls(renewed));
    await server.restart();
    await until('the reason', () => notices.some((notice) => /refuses this node: .*certificate/.test(notice)));
    secret('ca.pem', readFileSync(renewed.ca, 'utf8'));
    await becomes(bus, true);
  });
});
