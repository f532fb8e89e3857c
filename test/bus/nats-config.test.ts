import { describe, expect, it } from 'vitest';
import { connectionOptions, describeServers, parseServers } from '../../src/bus/nats/connect-options.ts';
import { checkServerVersion } from '../../src/bus/nats/server-version.ts';
import { differenceOf, streamConfigOf } from '../../src/bus/nats/stream-config.ts';
import type { NamespaceOptions } from '../../src/config/schema.ts';
import { busConfig } from './nats-config.ts';

describe('the servers', () => {
  it('are a list, with logins taken out', () => {
    expect(parseServers('nats://a:4222, tls://b, c:4223')).toEqual([
      { url: 'nats://a:4222' },
      { url: 'tls://b' },
      { url: 'nats://c:4223' },
    ]);
    expect(parseServers('nats://ana:p%40ss@host:1/')).toEqual([{ url: 'nats://host:1', user: 'ana', password: 'p@ss' }]);
    expect(parseServers('nats://t0ken@[::1]:4222')).toEqual([{ url: 'nats://[::1]:4222', token: 't0ken' }]);
    expect(describeServers('nats://ana:secret@a:1,nats://b:2')).toBe('nats://a:1, nats://b:2');
  });

  it('are connected to with the login and TLS files of the config', () => {
    const { nats } = busConfig('nats://a', {
      'nats.user': 'u',
      'nats.password': 'p',
      'nats.tlsCaFile': '/ca',
      'nats.tlsCertFile': '/cert',
      'nats.tlsKeyFile': '/key',
    });
    const options = connectionOptions(nats, 'node');
    expect(options).toMatchObject({
      user: 'u',
      pass: 'p',
      tls: { caFile: '/ca', certFile: '/cert', keyFile: '/key' },
      maxReconnectAttempts: -1,
    });
    expect(connectionOptions(busConfig('nats://a').nats, 'node')).not.toHaveProperty('tls');
  });

  it('cannot be connected to with a credentials file that is not there', () => {
    const { nats } = busConfig('nats://a', { 'nats.credsFile': '/nowhere/node.creds' });
    expect(() => connectionOptions(nats, 'node')).toThrowError(expect.objectContaining({ code: 'bus_unreachable' }));
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

  it('finds nothing where a server leaves out what is at its zero value, or orders lists its own way', () => {
    const { allow_msg_ttl, no_ack, sealed, ...found } = expected;
    expect(differenceOf({ ...found, subjects: [...expected.subjects].reverse() }, expected)).toBeUndefined();
  });

  it('names what differs', () => {
    expect(differenceOf({ ...expected, deny_purge: false }, expected)).toEqual({ field: 'deny_purge', found: 'false', expected: 'true' });
    expect(differenceOf({ ...expected, max_age: 5 }, expected)).toMatchObject({ field: 'max_age', found: '5' });
  });

  it('asks for a dedupe window no longer than what is kept', () => {
    const short = { ...config.namespaces.scores, history: { maxCount: 1, maxAgeMs: 1000, maxBytes: 65_536 } } as NamespaceOptions;
    expect(streamConfigOf('scores', short, config.nats).duplicate_window).toBe(1000e6);
    expect(expected.duplicate_window).toBe(120_000e6);
  });
});
