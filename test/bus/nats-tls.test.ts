import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

async function start(url: string, settings: Record<string, unknown> = {}, notices: string[] = []): Promise<Bus> {
  const config = busConfig(url, { namespaces: { live: { durable: false } }, 'tuning.nats.connectTimeoutMs': 5000, ...settings });
  const bus = await createBus(config, { onNotice: ({ message }) => void notices.push(message) });
  buses.push(bus);
  await bus.start();
  return bus;
}

/** Long enough for one attempt on a machine that is busy: the reason of the last attempt is what the error says. */
const failing = (url: string, settings: Record<string, unknown> = {}) =>
  start(url, { 'tuning.nats.connectTimeoutMs': 3000, ...settings }).then(
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

  it('with a certificate of an unknown authority is refused, with the reason', async () => {
    const server = await serve(`authorization { ${USER} }\n${tlsOf()}`, { binary });
    expect(await failing(`tls://127.0.0.1:${server.port}`, LOGIN)).toMatchObject({
      code: 'bus_unreachable',
      message: expect.stringMatching(/certificate.*nats\.tlsCaFile/),
    });
  });

  it('that requires a client certificate gets one', async () => {
    const server = await serve(`authorization { ${USER} }\n${tlsOf('verify: true')}`, { binary });
    const client = { 'nats.tlsCertFile': certs.client.cert, 'nats.tlsKeyFile': certs.client.key };
    expect((await start(`tls://127.0.0.1:${server.port}`, { ...LOGIN, ...CA, ...client })).connected).toBe(true);
    expect(await failing(`tls://127.0.0.1:${server.port}`, { ...LOGIN, ...CA })).toMatchObject({ code: 'bus_unreachable' });
  });
});

describe('a tls file that cannot be used', () => {
  const text = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const withKey = (key: string) => ({ 'nats.tlsCertFile': certs.client.cert, 'nats.tlsKeyFile': key });
  const damaged = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const locked = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
  }).privateKey;

  it.each<[string, () => Record<string, string>, RegExp]>([
    ['a CA file that is not there', () => ({ 'nats.tlsCaFile': join(folder, 'none.pem') }), /^nats\.tlsCaFile .*none\.pem \(ENOENT\)$/],
    ['a folder', () => ({ 'nats.tlsCaFile': folder }), /^nats\.tlsCaFile .*\(EISDIR\)$/],
    [
      'a CA file without a certificate',
      () => ({ 'nats.tlsCaFile': text('a.txt', 'hello') }),
      /^nats\.tlsCaFile: .*a\.txt has no certificate/,
    ],
    ['a key for a CA', () => ({ 'nats.tlsCaFile': certs.server.key }), /^nats\.tlsCaFile: .* has no certificate/],
    ['a damaged certificate', () => ({ 'nats.tlsCaFile': text('d.pem', damaged) }), /^nats\.tlsCaFile: .*d\.pem has a damaged certificate/],
    [
      'a key for a certificate',
      () => ({ ...withKey(certs.client.key), 'nats.tlsCertFile': certs.client.key }),
      /^nats\.tlsCertFile: .* has no certificate/,
    ],
    ['a certificate for a key', () => withKey(certs.client.cert), /^nats\.tlsKeyFile: .* has no private key/],
    ['a key with a passphrase', () => withKey(text('locked.key', locked)), /^nats\.tlsKeyFile: .* with a passphrase/],
    ['the key of another certificate', () => withKey(certs.server.key), /^nats\.tlsKeyFile: .* is not the key of nats\.tlsCertFile$/],
  ])('is named at once: %s', async (_, settings, message) => {
    const { port, heard } = await eavesdrop('');
    const error = await failing(`tls://127.0.0.1:${port}`, { 'tuning.nats.connectTimeoutMs': 100_000, ...settings() });
    expect(error).toMatchObject({ code: 'bus_unreachable', message: expect.stringMatching(message) });
    expect(Buffer.concat(heard)).toHaveLength(0);
  });

  it('is named when it replaces a valid one, and used again when it is valid', async () => {
    const server = await serve(`authorization { ${USER} }\n${tlsOf()}`);
    const good = readFileSync(certs.ca, 'utf8');
    const ca = text('ca-copy.pem', good);
    const notices: string[] = [];
    const bus = await start(`tls://127.0.0.1:${server.port}`, { ...LOGIN, 'nats.tlsCaFile': ca }, notices);
    text('ca-copy.pem', 'hello');
    await server.restart();
    await until('to be named', () => notices.some((message) => message.includes(`nats.tlsCaFile: ${ca} has no certificate`)));
    text('ca-copy.pem', good);
    await until('the connection', () => bus.connected);
  });
});

describe('a server whose TLS starts with the handshake', () => {
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

  it('is what nats.tlsHandshakeFirst requires; any other server fails with one line', async () => {
    const server = await serve(`authorization { ${USER} }\n${tlsOf()}`);
    const error = await failing(`tls://127.0.0.1:${server.port}`, { ...LOGIN, ...CA, 'nats.tlsHandshakeFirst': true });
    expect(error?.message).toMatch(/does not start with TLS, which nats\.tlsHandshakeFirst requires$/);
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

describe('on a network that others can read', () => {
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
