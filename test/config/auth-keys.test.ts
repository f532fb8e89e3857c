import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { runCli } from '../cli/run-cli.ts';
import { problemsOf, tempFile } from './helpers.ts';

const PUBLIC = { type: 'spki', format: 'pem' } as const;
const PRIVATE = { type: 'pkcs8', format: 'pem' } as const;
const rsa = (modulusLength: number) =>
  generateKeyPairSync('rsa', { modulusLength, publicKeyEncoding: PUBLIC, privateKeyEncoding: PRIVATE });
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve, publicKeyEncoding: PUBLIC, privateKeyEncoding: PRIVATE });
const edwards = generateKeyPairSync('ed25519', { publicKeyEncoding: PUBLIC, privateKeyEncoding: PRIVATE });

const RSA = rsa(2048).publicKey;
const P256 = ec('P-256').publicKey;
const GOOD: Readonly<Record<string, string>> = { RS256: RSA, ES256: P256, EdDSA: edwards.publicKey };

/** The one problem of a config with this second key. */
function problemOf(key: Record<string, unknown>): string {
  const good = { alg: 'EdDSA', publicKeyPem: edwards.publicKey };
  const problems = problemsOf(() => loadConfig({ env: {}, flags: { 'auth.keys': [good, key] } }));
  expect(problems).toHaveLength(1);
  return problems[0] as string;
}

describe.each(Object.keys(GOOD))('a public key for %s', (alg) => {
  const good = GOOD[alg] as string;

  it('is accepted as PEM text and from a file', () => {
    const keys = [
      { alg, publicKeyPem: good },
      { alg, publicKeyFile: tempFile('key.pem', `# made in January\r\n${good.replaceAll('\n', '\r\n')}`) },
    ];
    expect(loadConfig({ env: {}, flags: { 'auth.keys': keys } }).config.auth.keys).toHaveLength(2);
  });

  const others = {
    RS256: ['an RSA key of 2048 bits', RSA],
    ES256: ['an EC key on P-256', P256],
    EdDSA: ['a key of type ed25519', edwards.publicKey],
  };
  for (const [other, [name, pem]] of Object.entries(others).filter(([other]) => other !== alg)) {
    it(`is no key for ${other}`, () => {
      expect(problemOf({ alg, publicKeyPem: pem })).toMatch(new RegExp(`^auth\\.keys\\[1\\]\\.publicKeyPem .*for ${alg}, not ${name}$`));
      const file = tempFile('key.pem', pem as string);
      expect(problemOf({ alg, publicKeyFile: file })).toBe(
        `auth.keys[1].publicKeyFile = "${file}" (flag): ${problemOf({ alg, publicKeyPem: pem }).replace(/^.*?: /, '')}`,
      );
    });
  }
});

describe('a public key', () => {
  it('has the size and the curve that its algorithm asks for', () => {
    expect(problemOf({ alg: 'RS256', publicKeyPem: rsa(1024).publicKey })).toContain('at least 2048 bits for RS256, not one of 1024 bits');
    expect(problemOf({ alg: 'ES256', publicKeyPem: ec('P-384').publicKey })).toContain('not an EC key on secp384r1');
  });

  it.each([
    ['an empty text', '', 'not an empty text'],
    ['no PEM', 'ssh-ed25519 AAAA', 'not a text without a PEM header'],
    ['a private key', edwards.privateKey, 'not a private key'],
    ['an RSA key of the old form', RSA.replaceAll('PUBLIC KEY', 'RSA PUBLIC KEY'), 'not -----BEGIN RSA PUBLIC KEY-----'],
    ['a certificate', RSA.replaceAll('PUBLIC KEY', 'CERTIFICATE'), 'not -----BEGIN CERTIFICATE-----'],
    ['a header without an end', '-----BEGIN PUBLIC KEY-----', 'not a damaged one'],
    ['a damaged key', edwards.publicKey.replace('MCow', 'MCox'), 'not a damaged one'],
  ])('is not %s', (_, pem, reason) => {
    for (const key of [{ publicKeyPem: pem }, { publicKeyFile: tempFile('key.pem', pem) }]) {
      const problem = problemOf({ alg: 'EdDSA', ...key });
      expect(problem.startsWith(`auth.keys[1].${Object.keys(key)[0]} `)).toBe(true);
      expect(problem).toContain(`expected a public key in PEM (-----BEGIN PUBLIC KEY-----), ${reason}`);
      // Whatever was put there, a secret least of all, is not printed.
      expect(problem).not.toContain('MC4C');
    }
  });

  it('is in a file that can be read', () => {
    const large = tempFile('large.pem', 'x'.repeat(65_537));
    const folder = dirname(large);
    expect(problemOf({ alg: 'EdDSA', publicKeyFile: join(folder, 'none.pem') })).toBe(
      `auth.keys[1].publicKeyFile = "${join(folder, 'none.pem')}" (flag): expected a file with a public key: there is no such file (ENOENT)`,
    );
    expect(problemOf({ alg: 'EdDSA', publicKeyFile: folder })).toContain('it is a folder');
    expect(problemOf({ alg: 'EdDSA', publicKeyFile: large })).toContain('it has 65537 bytes');
    expect(problemOf({ alg: 'EdDSA', publicKeyFile: `${large}/key.pem` })).toContain('it cannot be read (ENOTDIR)');
  });

  it('that a config file names is looked for beside that file', () => {
    const text = 'auth: {keys: [{alg: EdDSA, publicKeyFile: keys.pem}]}';
    const file = tempFile('stentor.yaml', text);
    const [problem] = problemsOf(() => loadConfig({ file, env: {} }));
    expect(problem).toContain(`auth.keys[0].publicKeyFile = "${join(dirname(file), 'keys.pem')}" (${file})`);
  });

  it('beside a secret, or twice, is one problem, not two', () => {
    expect(problemOf({ alg: 'EdDSA', publicKeyPem: 'x', publicKeyFile: 'y' })).toMatch(/^auth\.keys\[1\]: expected either/);
  });
});

it('an HS256 secret that is too short is named, and not shown', () => {
  expect(problemOf({ alg: 'HS256', secret: 'far-too-short' })).toBe(
    'auth.keys[1].secret = (redacted) (flag): expected text (at least 32 characters)',
  );
});

it('a node with a wrong key ends with 2 before it asks NATS', async () => {
  let connections = 0;
  const nats = createServer((socket) => {
    connections++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(nats, 'listening');
  try {
    const file = tempFile('stentor.yaml', 'port: 0\nadmin: {port: 0}\nauth: {keys: [{alg: ES256, publicKeyFile: none.pem}]}\n');
    const { port } = nats.address() as { port: number };
    const { code, stdout, stderr } = await runCli(['serve', '--config', file, '--nats-url', `nats://127.0.0.1:${port}`]);
    expect({ code, stdout, connections }).toEqual({ code: 2, stdout: '', connections: 0 });
    expect(stderr).toContain('stentor: bad_config: a problem in the configuration:\n  auth.keys[0].publicKeyFile = "');
  } finally {
    nats.close();
  }
});
