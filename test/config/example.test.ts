import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { CliProcess, runCli } from '../cli/run-cli.ts';
import { freePort } from '../support/free-port.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestClient } from '../support/test-client.ts';
import { problemsOf } from './helpers.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const guide = readFileSync(join(ROOT, 'src/config/README.md'), 'utf8');
const blocks = (language: string) =>
  Array.from(guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm')), ([, text]) => text as string);

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const python = process.env.PYTHON ?? 'python3';
/** `.ci/run` brings it. */
const hasPyJwt = spawnSync(python, ['-c', 'import jwt, cryptography']).status === 0;
if (!hasPyJwt) console.warn('no PyJWT: set $PYTHON to a Python that has it; the snippet in Python is left out');
if (!hasOpenssl) console.warn('no openssl: the page is left out');

describe.runIf(hasOpenssl)('src/config/README.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-example-'));
  const file = join(folder, 'stentor.yaml');
  let nats: NatsServer;
  let node: CliProcess;
  let url = '';

  beforeAll(async () => {
    nats = await startNatsServer();
    execFileSync('sh', ['-ec', blocks('sh')[0] as string], { cwd: folder, stdio: 'ignore' });
    writeFileSync(file, (blocks('yaml')[0] as string).replace('nats://localhost:4222', nats.url));
    // jose, as a backend has it.
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'mint.mjs'), `${blocks('js')[0]}\nconsole.log(await tokenFor(process.argv[2]));\n`);
    writeFileSync(join(folder, 'mint.py'), `${blocks('python')[0]}\n\nimport sys\nprint(token_for(sys.argv[1]))\n`);
    node = new CliProcess([
      'serve',
      '--config',
      file,
      '--port',
      String(freePort()),
      '--admin-port',
      '0',
      '--set',
      'host=127.0.0.1',
      '--set',
      'log.pretty=false',
    ]);
    const [, port] = await node.until(/"port":(\d+),"adminPort".*node started/);
    url = `ws://127.0.0.1:${port}/ws`;
  });
  afterAll(async () => {
    await node?.kill();
    await nats?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A client with this token subscribes, publishes and hears what it may, and is refused what it may not. */
  async function tryOut(token: string, user: string): Promise<void> {
    const client = await TestClient.connect(url, { encoding: 'json', token });
    expect(await client.next('connected')).toMatchObject({ user });
    await client.subscribe('scores.a');
    await client.subscribe('chat.lobby');
    await client.subscribe(`user.${user}`);
    expect(await client.ask({ type: 'subscribe', topic: 'user.somebody-else' })).toMatchObject({ code: 'forbidden' });
    expect(await client.ask({ type: 'publish', topic: 'scores.a', data: 1 })).toMatchObject({ code: 'forbidden' });
    await client.get('published', { type: 'publish', topic: 'chat.lobby', data: { from: user } });
    await client.until('the publication', () => client.track('chat.lobby').items.length > 0);
    await client.close();
  }

  it('has a config file and a Node snippet with which a user can connect', async () => {
    const token = execFileSync(process.execPath, ['mint.mjs', 'ann'], { cwd: folder, encoding: 'utf8' }).trim();
    await tryOut(token, 'ann');
  });

  it.runIf(hasPyJwt)('has a snippet in Python that lets a user in', async () => {
    const token = execFileSync(python, ['mint.py', 'bob'], { cwd: folder, encoding: 'utf8' }).trim();
    await tryOut(token, 'bob');
  });

  it('has a config file that the command for it accepts, from any folder', async () => {
    const { code, stdout } = await runCli(['config', '--config', file]);
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({
      auth: { keys: [{ kid: '2026-01', alg: 'EdDSA', publicKeyFile: join(folder, 'keys/public.pem') }] },
    });
  });

  it('says how a key that is not there is named', () => {
    mkdirSync(join(folder, 'elsewhere'));
    const moved = join(folder, 'elsewhere/stentor.yaml');
    writeFileSync(moved, readFileSync(file));
    expect(problemsOf(() => loadConfig({ file: moved, env: {} }))).toEqual([
      expect.stringMatching(/^auth\.keys\[0\]\.publicKeyFile = .*ENOENT/),
    ]);
  });

  it('has settings for a key set that are settings', () => {
    expect(blocks('yaml')).toHaveLength(2);
    expect(loadConfig({ env: {}, flags: { ...flatten(parse(blocks('yaml')[1] as string).auth) } }).config.auth.jwksUrl).toMatch(/^https:/);
  });
});

function flatten(auth: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(auth).map(([name, value]) => [`auth.${name}`, value]));
}
