import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeToken } from '../../src/cli/make-token.ts';
import { createProgram } from '../../src/cli/program.ts';
import { type TokenOptions, tokenFor } from '../../src/cli/token.ts';
import { configReference, tuningReference } from '../../src/config/reference.ts';
import { tempFile } from '../config/helpers.ts';
import { runCli } from './run-cli.ts';

const SECRET = 'a-secret-of-thirty-two-characters!';
const secretBytes = new TextEncoder().encode(SECRET);

describe('stentor config', () => {
  it('prints the effective configuration as YAML, secrets redacted, warnings beside it', async () => {
    const file = tempFile('stentor.yaml', `workers: 2\nauth: {keys: [{alg: HS256, secret: ${SECRET}}]}\n`);
    const env = { STENTOR_CONFIG: file, STENTOR_NATS_URL: 'nats://bob:hunter2@nats:4222', STENTOR_PORT: 'tcp://10.0.0.1:8080' };
    const { code, stdout, stderr } = await runCli(['config', '--set', 'port=0', '--set', 'namespaces.chat.public=true'], { env });
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({
      port: 0,
      workers: 2,
      nats: { url: 'nats://(redacted)@nats:4222' },
      auth: { keys: [{ alg: 'HS256', secret: '(redacted)' }] },
      namespaces: { chat: { public: true, clientPublish: true } },
    });
    expect(stderr).toContain('warning: STENTOR_PORT was set by Kubernetes');
    expect(stdout + stderr).not.toMatch(/hunter2|a-secret/);
  });

  it('ends with 2 and every reason where the configuration cannot be used', async () => {
    const { code, stdout, stderr } = await runCli(['config', '--set', 'workers=-1'], { env: { STENTOR_NATS_URI: 'x' } });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(
      'stentor: bad_config: 2 problems in the configuration:\n' +
        '  STENTOR_NATS_URI: no such setting; did you mean STENTOR_NATS_URL?\n' +
        '  workers = -1 (flag): expected a whole number from 0 to 256\n',
    );
  });

  it('prints the reference of the settings, of those in tuning, or both', async () => {
    expect((await runCli(['config', '--reference'])).stdout).toBe(configReference());
    expect((await runCli(['config', '--tuning'])).stdout).toBe(tuningReference());
    expect((await runCli(['config', '--reference', '--tuning'])).stdout).toBe(`${configReference()}\n${tuningReference()}`);
  });
});

describe('stentor token', () => {
  it('creates a token with user, permissions and expiry', async () => {
    const { code, stdout } = await runCli([
      ...['token', '--secret', SECRET, '--sub', 'alice', '--expires', '10m', '--issuer', 'me', '--audience', 'you', '--kid', 'k1'],
      ...['--subscribe', 'scores.>', 'ticks.*', '--publish', 'chat.lobby'],
    ]);
    expect(code).toBe(0);
    const { payload, protectedHeader } = await jwtVerify(stdout.trim(), secretBytes, { issuer: 'me', audience: 'you' });
    expect(protectedHeader).toEqual({ alg: 'HS256', kid: 'k1' });
    expect(payload).toMatchObject({ sub: 'alice', stentor: { subscribe: ['scores.>', 'ticks.*'], publish: ['chat.lobby'], call: [] } });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600);
  });

  it('signs with the config’s HS256 key, its kid, issuer and audience, by default', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const publicKeyFile = tempFile('public.pem', publicKey.export({ type: 'spki', format: 'pem' }) as string);
    const keys = `[{alg: EdDSA, publicKeyFile: ${publicKeyFile}}, {kid: main, alg: HS256, secret: ${SECRET}}]`;
    const file = tempFile('stentor.yaml', `auth: {issuer: iss, audience: aud, keys: ${keys}}\n`);
    const { stdout } = await runCli(['token', '--config', file]);
    const { payload, protectedHeader } = await jwtVerify(stdout.trim(), secretBytes);
    expect(protectedHeader.kid).toBe('main');
    expect(payload).toMatchObject({ sub: 'dev', iss: 'iss', aud: 'aud', stentor: { subscribe: [], publish: [] } });
  });

  it.each([
    ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'prime256v1' })],
    ['EdDSA', generateKeyPairSync('ed25519')],
  ])('signs %s with a private key from a file, and takes the algorithm from the key', async (alg, { privateKey, publicKey }) => {
    const file = tempFile('private.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
    const token = await tokenFor({ sub: 'bob', expires: '1h', keyFile: file });
    const { payload } = await jwtVerify(token, publicKey, { algorithms: [alg] });
    expect(payload.sub).toBe('bob');
  });

  it.each<[Partial<TokenOptions>, string]>([
    [{ secret: 'short' }, 'at least 32 characters'],
    [{ secret: SECRET, alg: 'RS256' }, 'for which the key is'],
    [{ secret: SECRET, keyFile: 'f' }, 'not both'],
    [{ secret: SECRET, expires: 'tomorrow' }, 'expected a number with ms, s, m, h or d'],
    [{ secret: SECRET, subscribe: ['a.>.b'] }, 'expected tokens of'],
    [{ keyFile: '/nowhere.pem' }, 'no such file'],
    [{ keyFile: tempFile('public.pem', 'nothing of the kind') }, 'not a private key in PEM'],
    [{ config: tempFile('stentor.yaml', '') }, 'a config with an HS256 key'],
  ])('refuses %j', async (options, reason) => {
    const make = async () => tokenFor({ sub: 'dev', expires: '1h', ...options });
    await expect(make()).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining(reason) });
  });

  it('prints a refusal as one line, and ends with 2', async () => {
    const { code, stdout, stderr } = await runCli(['token', '--secret', 'short']);
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: 'stentor: usage: --secret: expected at least 32 characters\n',
    });
  });

  it('refuses a key on another curve', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const keyFile = tempFile('private.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
    const make = async () => tokenFor({ sub: 'dev', expires: '1h', keyFile });
    await expect(make()).rejects.toMatchObject({ code: 'bad_key_file', message: expect.stringContaining('secp384r1') });
  });

  it('sets no kid in the header if there is none', async () => {
    const token = await makeToken(
      { key: SECRET, alg: 'HS256', sub: 'a', expiresInMs: 1000, subscribe: [], publish: [], call: [], issuer: '' },
      Date.now(),
    );
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256' });
    expect((await jwtVerify(token, secretBytes)).payload.iss).toBeUndefined();
  });
});

describe('stentor', () => {
  it('prints help that lists every command, with examples in each one’s own', () => {
    const program = createProgram();
    const printed: string[] = [];
    for (const command of [program, ...program.commands]) command.configureOutput({ writeOut: (text) => printed.push(text) }).outputHelp();
    const [overview, ...helps] = printed.join('').split(/^(?=Usage: )/m);
    const names = program.commands.map((command) => command.name());
    expect(names).toEqual(expect.arrayContaining(['serve', 'publish', 'subscribe', 'token', 'replay', 'config']));
    for (const [i, name] of names.entries()) {
      expect(overview).toContain(`\n  ${name} `);
      expect(helps[i]).toMatch(new RegExp(`Examples:\n  \\$ (.*\n)*.*stentor ${name}`));
    }
  });

  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect((await runCli(['--version'])).stdout).toBe(`${version}\n`);
  });

  it('ends with 2 for an unknown command or option', async () => {
    expect((await runCli(['shout'])).code).toBe(2);
    expect(await runCli(['config', '--loud'])).toMatchObject({ code: 2, stderr: expect.stringContaining("unknown option '--loud'") });
  });

  it('ends without an error if its reader has closed', () => {
    const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
    const output = execFileSync(
      'bash',
      ['-c', `set -o pipefail; "$0" --import tsx "$1" config --reference | head -c 5`, process.execPath, main],
      { encoding: 'utf8' },
    );
    expect(output).toHaveLength(5);
  });
});
