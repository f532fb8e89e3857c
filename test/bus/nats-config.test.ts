import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Authenticator, type ConnectionOptions, nkeys } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { connectionOptions } from '../../src/bus/nats/connect-options.ts';
import { checkServerVersion } from '../../src/bus/nats/server-version.ts';
import { describeServers, parseServers } from '../../src/bus/nats/servers.ts';
import { differenceOf, streamConfigOf } from '../../src/bus/nats/stream-config.ts';
import type { Config, NamespaceOptions } from '../../src/config/schema.ts';
import { busConfig } from './nats-config.ts';

const optionsOf = (nats: Config['nats']) => connectionOptions(nats, 'node', () => undefined);
const loginWith = ({ authenticator }: ConnectionOptions) => (authenticator as Authenticator)('nonce');

describe('the servers', () => {
  it('are a list without logins', () => {
    expect(parseServers('nats://a:4222, tls://b, c:4223')).toEqual([
      { url: 'nats://a:4222' },
      { url: 'tls://b' },
      { url: 'nats://c:4223' },
    ]);
    expect(parseServers('nats://ana:p%40ss@host:1/')).toEqual([{ url: 'nats://host:1', user: 'ana', password: 'p@ss' }]);
    expect(parseServers('nats://t0ken@[::1]:4222')).toEqual([{ url: 'nats://[::1]:4222', token: 't0ken' }]);
    expect(describeServers('nats://ana:secret@a:1,nats://b:2')).toBe('nats://a:1, nats://b:2');
  });

  it('are connected to with the TLS files of the config', () => {
    const { nats } = busConfig('nats://a', { 'nats.tlsCaFile': '/ca', 'nats.tlsCertFile': '/cert', 'nats.tlsKeyFile': '/key' });
    expect(optionsOf(nats)).toMatchObject({ tls: { caFile: '/ca', certFile: '/cert', keyFile: '/key' }, maxReconnectAttempts: -1 });
    expect(optionsOf(busConfig('nats://a').nats)).not.toHaveProperty('tls');
  });

  it('are connected to with TLS or not at all where any URL says tls', () => {
    for (const url of ['tls://a', 'nats://a, tls://b:4222', 'tls://u:p@a']) expect(optionsOf(busConfig(url).nats)).toHaveProperty('tls');
    for (const url of ['nats://a', 'a', 'nats://tls:tls@a', 'nats://tls']) expect(optionsOf(busConfig(url).nats)).not.toHaveProperty('tls');
    expect(optionsOf(busConfig('a', { 'nats.tlsHandshakeFirst': true }).nats).tls).toEqual({ handshakeFirst: true });
  });

  it.each([
    [
      { 'nats.user': 'u', 'nats.password': 'p' },
      { user: 'u', pass: 'p' },
    ],
    [{ 'nats.user': 'u' }, { user: 'u', pass: '' }],
    [{ 'nats.token': 't' }, { auth_token: 't' }],
  ])('are logged in to with %o', (settings, login) => {
    expect(loginWith(optionsOf(busConfig('nats://a', settings).nats))).toEqual(login);
  });

  it('get the login from their URL', () => {
    expect(loginWith(optionsOf(busConfig('nats://u:p@a').nats))).toEqual({ user: 'u', pass: 'p' });
    expect(loginWith(optionsOf(busConfig('tls://t@a').nats))).toEqual({ auth_token: 't' });
    expect(optionsOf(busConfig('nats://a').nats)).not.toHaveProperty('authenticator');
  });

  it('get the login that the files contain at that time', () => {
    const folder = mkdtempSync(join(tmpdir(), 'stentor-login-'));
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const troubles: string[] = [];
    const userpass = connectionOptions(
      busConfig('a', { 'nats.userFile': file('user', 'u\n'), 'nats.passwordFile': file('password', 'p') }).nats,
      'node',
      (reason) => void troubles.push(reason),
    );
    const token = optionsOf(busConfig('a', { 'nats.tokenFile': file('token', 't\r\n') }).nats);
    const seed = Buffer.from(nkeys.createUser().getSeed()).toString();
    const nkey = optionsOf(busConfig('a', { 'nats.nkeySeedFile': file('seed', `# the node\n${seed}\n`) }).nats);
    expect(loginWith(userpass)).toEqual({ user: 'u', pass: 'p' });
    expect(loginWith(token)).toEqual({ auth_token: 't' });
    expect(loginWith(nkey)).toMatchObject({ nkey: nkeys.fromSeed(Buffer.from(seed)).getPublicKey() });
    file('password', 'another');
    file('token', 'other\n');
    expect(loginWith(userpass)).toEqual({ user: 'u', pass: 'another' });
    expect(loginWith(token)).toEqual({ auth_token: 'other' });
    // Never thrown at the client, which would give up.
    rmSync(folder, { recursive: true });
    expect(loginWith(userpass)).toBeUndefined();
    expect(troubles).toEqual([expect.stringContaining('nats.userFile cannot be read')]);
  });

  it.each(['credsFile', 'nkeySeedFile', 'tokenFile', 'userFile'])('cannot be connected to with a %s that is not there', (setting) => {
    const { nats } = busConfig('nats://a', { [`nats.${setting}`]: '/nowhere/secret' });
    expect(() => optionsOf(nats)).toThrowError(
      expect.objectContaining({ code: 'bus_unreachable', message: expect.stringContaining(`nats.${setting}`) }),
    );
  });

  it.each(['credsFile', 'nkeySeedFile', 'tokenFile'])('cannot be connected to with a %s that has nothing in it', (setting) => {
    const folder = mkdtempSync(join(tmpdir(), 'stentor-login-'));
    writeFileSync(join(folder, 'secret'), '\n');
    const { nats } = busConfig('nats://a', { [`nats.${setting}`]: join(folder, 'secret') });
    expect(() => optionsOf(nats)).toThrowError(
      expect.objectContaining({ code: 'bus_unreachable', message: expect.stringContaining(`nats.${setting}`) }),
    );
    rmSync(folder, { recursive: true });
  });

  it('must be 2.9 or newer', () => {
    for (const version of ['2.9.0', '2.9.10', '2.15.2', '3.0.0', '2.12.0-beta.1']) expect(() => checkServerVersion(version)).not.toThrow();
    for (const version of ['2.8.4', '1.4.1', '']) {
      expect(() => checkServerVersion(version)).toThrowError(expect.objectContaining({ code: 'server_too_old' }));
    }
  });
});

describe('the comparison of streams', () => {
  const config = busConfig('nats://a');
  const expected = streamConfigOf('scores', config.namespaces.scores as NamespaceOptions, config.nats);

  it('finds no difference if a server leaves out zero values, or orders lists differently', () => {
    const { allow_msg_ttl, no_ack, sealed, ...found } = expected;
    expect(differenceOf({ ...found, subjects: [...expected.subjects].reverse() }, expected)).toBeUndefined();
  });

  it('names the field that differs', () => {
    expect(differenceOf({ ...expected, deny_purge: false }, expected)).toEqual({ field: 'deny_purge', found: 'false', expected: 'true' });
    expect(differenceOf({ ...expected, max_age: 5 }, expected)).toMatchObject({ field: 'max_age', found: '5' });
  });

  it('requires a deduplication window no longer than the maximum age', () => {
    const short = { ...config.namespaces.scores, history: { maxCount: 1, maxAgeMs: 1000, maxBytes: 65_536 } } as NamespaceOptions;
    expect(streamConfigOf('scores', short, config.nats).duplicate_window).toBe(1000e6);
    expect(expected.duplicate_window).toBe(120_000e6);
  });
});
