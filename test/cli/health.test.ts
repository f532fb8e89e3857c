import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminOrigin } from '../../src/cli/admin/admin-origin.ts';
import { freePort } from '../support/free-port.ts';
import { CliProcess, runCli } from './run-cli.ts';

describe('stentor health', () => {
  let node: CliProcess;
  let adminPort = 0;

  beforeAll(async () => {
    adminPort = freePort();
    node = new CliProcess(['serve', '--port', String(freePort()), '--admin-port', String(adminPort)]);
    await node.until(/node started/);
  });
  afterAll(() => node.kill());

  it('exits with 0 for a node that is alive, and for one that accepts clients', async () => {
    const env = { STENTOR_ADMIN_PORT: String(adminPort) };
    expect(await runCli(['health'], { env })).toMatchObject({ code: 0, stdout: 'live\n' });
    expect(await runCli(['health', '--ready'], { env })).toMatchObject({ code: 0, stdout: 'ready\n' });
  });

  it('exits with 1 and the reason if nothing responds', async () => {
    const { code, stderr } = await runCli(['health', '--set', `admin.port=${freePort()}`]);
    expect(code).toBe(1);
    expect(stderr).toContain('unhealthy');
    expect(stderr).toContain('ECONNREFUSED');
  });

  it('asks on loopback where the node listens on every address', () => {
    expect(adminOrigin({ host: '0.0.0.0', port: 9090, tls: false })).toBe('http://127.0.0.1:9090');
    expect(adminOrigin({ host: '::1', port: 9090, tls: false })).toBe('http://[::1]:9090');
    expect(adminOrigin({ host: '10.0.0.5', port: 1, tls: false })).toBe('http://10.0.0.5:1');
    expect(adminOrigin({ host: '::1', port: 1, tls: true })).toBe('https://[::1]:1');
  });
});
