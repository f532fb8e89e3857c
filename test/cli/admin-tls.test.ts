import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../support/certificates.ts';
import { TestNode } from '../support/node.ts';
import { runCli } from './run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-admin-tls-'));
const certs = makeCertificates(folder);
const other = certs.sign('other', { altNames: 'DNS:live.example.com' });
const TOKEN = 'a-token-of-an-operator';
let node: TestNode;
let settings: Record<string, string>;

beforeAll(async () => {
  const tls = { 'tls.certFile': other.cert, 'tls.keyFile': other.key, 'admin.tls': true, 'admin.token': TOKEN };
  node = await TestNode.start({ nodeId: 'one', ...tls });
  settings = {
    STENTOR_TLS_CERT_FILE: other.cert,
    STENTOR_TLS_KEY_FILE: other.key,
    STENTOR_ADMIN_TLS: 'true',
    STENTOR_ADMIN_TOKEN: TOKEN,
    STENTOR_ADMIN_PORT: String(node.running.adminPort),
  };
});
afterAll(async () => {
  await node.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('commands that ask an admin port with TLS', () => {
  it('reach the node of their configuration, although its certificate is for another name', async () => {
    expect(await runCli(['health'], { env: settings })).toMatchObject({ code: 0, stdout: 'live\n' });
    const { code, stdout } = await runCli(['nodes', '--json'], { env: settings });
    expect([code, stdout]).toEqual([0, expect.stringContaining('"one"')]);
    const ended = await runCli(['disconnect', '--user', 'ann'], { env: settings });
    expect(ended.code).toBe(0);
  });

  it('do not send the token if something else answers there', async () => {
    const env = { ...settings, STENTOR_TLS_CERT_FILE: certs.server.cert, STENTOR_TLS_KEY_FILE: certs.server.key };
    const { code, stderr } = await runCli(['nodes'], { env });
    expect([code, stderr]).toEqual([1, expect.stringContaining('another certificate than that in tls.certFile')]);
  });

  it('check authority and name with --admin-url, and say what to do', async () => {
    const ask = (env: Record<string, string>) =>
      runCli(['nodes', '--admin-url', `https://127.0.0.1:${node.running.adminPort}`], { env: { ...settings, ...env } });
    const unknown = await ask({});
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining('name the file with that authority in NODE_EXTRA_CA_CERTS'),
    ]);
    expect(unknown.stderr).not.toContain('Is a node running there?');
    const wrongName = await ask({ NODE_EXTRA_CA_CERTS: certs.ca });
    expect([wrongName.code, wrongName.stderr]).toEqual([1, expect.stringContaining('Use a name of its certificate in --admin-url')]);
  });

  it('reach a node with --admin-url whose private authority is named', async () => {
    const own = await TestNode.start({
      'tls.certFile': certs.server.cert,
      'tls.keyFile': certs.server.key,
      'admin.tls': true,
      'admin.token': TOKEN,
    });
    try {
      const env = { STENTOR_ADMIN_TOKEN: TOKEN, NODE_EXTRA_CA_CERTS: certs.ca };
      const { code, stdout } = await runCli(['nodes', '--json', '--admin-url', `https://localhost:${own.running.adminPort}`], { env });
      expect([code, JSON.parse(stdout).nodes]).toEqual([0, [expect.objectContaining({ nodeId: own.running.nodeId })]]);
    } finally {
      await own.stop();
    }
  });
});
