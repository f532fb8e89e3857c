import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { makeCertificates } from '../support/certificates.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';
import { busConfig } from './nats-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-tls-'));
const certs = makeCertificates(folder);
const buses: Bus[] = [];
const servers: NatsServer[] = [];
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.stop();
  for (const server of servers.splice(0)) await server.stop();
  for (const close of closers.splice(0)) await close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const USER = 'users = [{ user: ana, password: "s3cret-pass" }]';
const tlsOf = (more = '') =>
  `tls {\n cert_file: "${certs.server.cert}"\n key_file: "${certs.server.key}"\n ca_file: "${certs.ca}"\n ${more}\n}`;

async function serve(config: string, options: NatsServerOptions = {}): Promise<NatsServer> {
  const server = await startNatsServer({ ...options, config });
  servers.push(server);
  return server;
}

async function start(url: string, settings: Record<string, unknown> = {}): Promise<Bus> {
  const bus = await createBus(busConfig(url, { namespaces: { live: { durable: false } }, 'nats.connectTimeoutMs': 5000, ...settings }));
  buses.push(bus);
  await bus.start();
  return bus;
}

const failing = (url: string, settings: Record<string, unknown> = {}) =>
  start(url, { 'nats.connectTimeoutMs': 1000, ...settings }).then(
    () => undefined,
    (error: Error & { code?: string }) => error,
  );

const LOGIN = { 'nats.user': 'ana', 'nats.password': 's3cret-pass' };
const CA = { 'nats.tlsCaFile': certs.ca };

describe.each(natsServerBinaries())('a server with TLS (%s)', (binary) => {
  it('is connected to by tls://, with its CA', async () => {
    const server = await serve(`authorization { ${USER} }\n${tlsOf()}`, { binary });
    expect((await start(`tls://127.0.0.1:${server.port}`, { ...LOGIN, ...CA })).connected).toBe(true);
    expect((await start(`tls://localhost:${server.port}`, { ...LOGIN, ...CA })).connected).toBe(true);
  });

  it('whose certificate nobody vouches for is refused, and the reason is told', async () => {
    const server = await serve(`authorization { ${USER} }\n${tlsOf()}`, { binary });
    expect(await failing(`tls://127.0.0.1:${server.port}`, LOGIN)).toMatchObject({
      code: 'bus_unreachable',
      message: expect.stringMatching(/certificate/),
    });
  });

  it('that wants a client certificate is given one', async () => {
    const server = await serve(`authorization { ${USER} }\n${tlsOf('verify: true')}`, { binary });
    const client = { 'nats.tlsCertFile': certs.client.cert, 'nats.tlsKeyFile': certs.client.key };
    expect((await start(`tls://127.0.0.1:${server.port}`, { ...LOGIN, ...CA, ...client })).connected).toBe(true);
    expect(await failing(`tls://127.0.0.1:${server.port}`, { ...LOGIN, ...CA })).toMatchObject({ code: 'bus_unreachable' });
  });
});

describe('a server whose TLS begins with the handshake', () => {
  // Servers know it since 2.10: where all that are at hand are older, there is nothing to try.
  const binary = natsServerBinaries().find((path) => !/v2\.[0-9]\./.test(execFileSync(path, ['--version'], { encoding: 'utf8' })));

  it.skipIf(binary === undefined)('is connected to with nats.tlsHandshakeFirst, and not without', async () => {
    const server = await serve(`authorization { ${USER} }\n${tlsOf('handshake_first: true')}`, {
      silent: true,
      ...(binary !== undefined && { binary }),
    });
    const url = `tls://127.0.0.1:${server.port}`;
    expect((await start(url, { ...LOGIN, ...CA, 'nats.tlsHandshakeFirst': true })).connected).toBe(true);
    expect(await failing(url, { ...LOGIN, ...CA })).toMatchObject({ code: 'bus_unreachable' });
  });
});

describe('logins', () => {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('by an nkey seed from a file', async () => {
    const user = nkeys.createUser();
    const server = await serve(`authorization { users = [{ nkey: ${user.getPublicKey()} }] }`);
    const seed = Buffer.from(user.getSeed()).toString();
    expect((await start(server.url, { 'nats.nkeySeedFile': file('seed', `${seed}\n`) })).connected).toBe(true);
    const stranger = Buffer.from(nkeys.createUser().getSeed()).toString();
    expect(await failing(server.url, { 'nats.nkeySeedFile': file('seed', stranger) })).toMatchObject({
      message: expect.stringContaining('refuses the login'),
    });
  });

  it('by a user and a password from files', async () => {
    const server = await serve(`authorization { ${USER} }`);
    const files = { 'nats.userFile': file('user', 'ana\n'), 'nats.passwordFile': file('password', 's3cret-pass\n') };
    expect((await start(server.url, files)).connected).toBe(true);
  });

  it('by a token from a file', async () => {
    const server = await serve('authorization { token: "a-long-token" }');
    expect((await start(server.url, { 'nats.tokenFile': file('token', 'a-long-token\n') })).connected).toBe(true);
  });
});

/** Plays a server, and keeps every byte that a client sends. @param greeting what it says first; empty: nothing */
async function eavesdrop(greeting: string): Promise<{ port: number; heard: Buffer[] }> {
  const heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => void heard.push(data));
    if (greeting !== '') socket.write(greeting);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, heard };
}

const INFO = { server_id: 'X', version: '2.15.2', proto: 1, headers: true, max_payload: 1_048_576, auth_required: true, nonce: 'abcdefgh' };
const info = (more: object = {}) => `INFO ${JSON.stringify({ ...INFO, ...more })}\r\n`;
const TLS_HANDSHAKE = 0x16;

describe('on a line that somebody listens to', () => {
  const greetings: [string, string][] = [
    ['a server without TLS', info()],
    ['a server that offers TLS', info({ tls_available: true })],
    ['a server that demands TLS', info({ tls_required: true })],
    ['a server that says nothing', ''],
  ];

  describe.each([
    ['tls:// in the URL', (port: number) => ({ url: `tls://127.0.0.1:${port}`, settings: {} })],
    ['a CA file', (port: number) => ({ url: `nats://127.0.0.1:${port}`, settings: CA })],
    ['nats.tlsHandshakeFirst', (port: number) => ({ url: `nats://127.0.0.1:${port}`, settings: { 'nats.tlsHandshakeFirst': true } })],
    ['tls:// before another server', (port: number) => ({ url: `tls://127.0.0.1:1,nats://127.0.0.1:${port}`, settings: {} })],
  ])('with %s', (_, target) => {
    it.each(greetings)('%s is sent no login, and nothing but TLS', async (_name, greeting) => {
      const { port, heard } = await eavesdrop(greeting);
      const { url, settings } = target(port);
      expect(await failing(url, { ...LOGIN, ...settings })).toMatchObject({ code: 'bus_unreachable' });
      const bytes = Buffer.concat(heard);
      expect(bytes.includes('s3cret-pass') || bytes.includes('ana"') || bytes.includes('CONNECT')).toBe(false);
      if (bytes.length > 0) expect(bytes[0]).toBe(TLS_HANDSHAKE);
    });
  });

  it('the same check sees a login where TLS is off', async () => {
    const { port, heard } = await eavesdrop(info());
    const failed = failing(`nats://127.0.0.1:${port}`, LOGIN);
    await until('the login', () => Buffer.concat(heard).includes('s3cret-pass'));
    await failed;
  });
});
