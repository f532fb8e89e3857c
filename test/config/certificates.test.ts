import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readTls } from '../../src/config/certificates.ts';
import { loadConfig } from '../../src/config/load.ts';
import { makeCertificates } from '../support/certificates.ts';
import { problemsOf } from './helpers.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-certificates-'));
const certs = makeCertificates(folder);
const { cert: certFile, key: keyFile } = certs.server;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const load = (tls: object) => loadConfig({ env: {}, flags: Object.fromEntries(Object.entries(tls).map(([k, v]) => [`tls.${k}`, v])) });
const refusedWith = (tls: object) => {
  const [problem, ...others] = problemsOf(() => load({ certFile, keyFile, ...tls }));
  expect(others).toEqual([]);
  return problem;
};

describe('the files of tls', () => {
  it('are read with the chain, the keys, and the time at which each certificate expires', () => {
    const other = certs.sign('other', { altNames: 'DNS:a.example.com', days: 30 });
    const chain = file('chain.pem', readFileSync(certFile, 'utf8') + readFileSync(certs.ca, 'utf8'));
    const serverNames = [{ name: 'a.example.com', certFile: other.cert, keyFile: other.key }];
    const { config } = load({ certFile: chain, keyFile, caFile: certs.ca, serverNames });
    const read = readTls(config.tls, Date.now());
    if ('problems' in read) throw new Error(JSON.stringify(read.problems));
    expect(read.material.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(read.material.ca).toContain('BEGIN CERTIFICATE');
    expect(read.material.serverNames.map(({ name }) => name)).toEqual(['a.example.com']);
    const days = read.expiries.map(({ name, expiresAtMs }) => [name, Math.round((expiresAtMs - Date.now()) / 86_400_000)]);
    expect(days).toEqual([
      ['default', 2],
      ['a.example.com', 30],
    ]);
  });

  it.each<[string, () => object, RegExp]>([
    ['a certificate that is missing', () => ({ certFile: join(folder, 'none.pem') }), /tls\.certFile .*no such file/],
    ['a key that is missing', () => ({ keyFile: join(folder, 'none.key') }), /tls\.keyFile .*no such file/],
    ['a folder', () => ({ certFile: folder }), /tls\.certFile .*it is a folder/],
    ['a key instead of a certificate', () => ({ certFile: keyFile }), /tls\.certFile .*no -----BEGIN CERTIFICATE/],
    ['a certificate instead of a key', () => ({ keyFile: certFile }), /tls\.keyFile .*none that can be read/],
    [
      'a damaged certificate',
      () => ({ certFile: file('damaged.pem', readFileSync(certFile, 'utf8').replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA')) }),
      /tls\.certFile .*damaged/,
    ],
    [
      'a damaged certificate in the chain',
      () => ({
        certFile: file('half.pem', `${readFileSync(certFile, 'utf8')}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`),
      }),
      /tls\.certFile .*damaged/,
    ],
    [
      'the key of another certificate',
      () => ({ keyFile: certs.client.key }),
      /tls\.keyFile .*expected the private key of the first certificate/,
    ],
    [
      'an expired certificate',
      () => {
        const { cert, key } = certs.sign('expired', { altNames: 'DNS:localhost', days: -1 });
        return { certFile: cert, keyFile: key };
      },
      /tls\.certFile .*expired on/,
    ],
    [
      'an RSA key of 1024 bits',
      () => {
        const { cert, key } = certs.sign('weak', { altNames: 'DNS:localhost', key: ['-newkey', 'rsa:1024', '-nodes'] });
        return { certFile: cert, keyFile: key };
      },
      /tls\.keyFile .*2048 bits/,
    ],
    [
      'a key with a passphrase',
      () => {
        const key = ['-newkey', 'rsa:2048', '-passout', 'pass:secret'];
        const signed = certs.sign('locked', { altNames: 'DNS:localhost', key });
        return { certFile: signed.cert, keyFile: signed.key };
      },
      /tls\.keyFile .*without a passphrase: it has one/,
    ],
    ['a CA file that is none', () => ({ caFile: file('ca.txt', 'no certificate') }), /tls\.caFile /],
    [
      'a server name that its certificate is not for',
      () => ({ serverNames: [{ name: 'a.example.com', certFile, keyFile }] }),
      /tls\.serverNames\[0\]\.certFile .*expected a certificate for a\.example\.com, not for IP Address:127\.0\.0\.1/,
    ],
    [
      'a wildcard that its certificate is not for',
      () => {
        const { cert, key } = certs.sign('exact', { altNames: 'DNS:a.example.com' });
        return { serverNames: [{ name: '*.example.com', certFile: cert, keyFile: key }] };
      },
      /tls\.serverNames\[0\]\.certFile .*expected a certificate for \*\.example\.com/,
    ],
  ])('%s is refused', (_, tls, message) => {
    expect(refusedWith(tls())).toMatch(message);
  });

  it('a key is never shown', () => {
    expect(refusedWith({ keyFile: certs.client.key })).not.toContain('PRIVATE');
    expect(refusedWith({ certFile: keyFile })).not.toContain('PRIVATE');
  });

  it('come together, and server names have the names that clients send', () => {
    expect(refusedWith({ keyFile: '' })).toMatch(/^tls\.keyFile/);
    expect(problemsOf(() => load({ keyFile }))[0]).toMatch(/^tls\.certFile/);
    expect(problemsOf(() => load({ caFile: certs.ca }))[0]).toMatch(/^tls\.caFile/);
    expect(problemsOf(() => loadConfig({ env: {}, flags: { 'admin.tls': true } }))[0]).toMatch(/^admin\.tls/);
    const named = (name: string) => ({ name, certFile, keyFile });
    expect(refusedWith({ serverNames: [named('A.example')] })).toMatch(/^tls\.serverNames\[0\]\.name/);
    expect(refusedWith({ serverNames: [named('a.*.example')] })).toMatch(/^tls\.serverNames\[0\]\.name/);
    expect(problemsOf(() => load({ certFile, keyFile, serverNames: [named('localhost'), named('localhost')] }))[0]).toMatch(
      /no other entry/,
    );
  });
});
