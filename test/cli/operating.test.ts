import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findTool } from '../support/find-tool.ts';
import { freePort } from '../support/free-port.ts';
import { TestNode } from '../support/node.ts';
import { sign } from '../support/tokens.ts';
import { CliProcess, type CliResult, runCli } from './run-cli.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const SCRIPT = findTool('SCRIPT', 'script');
const TOKEN = 'the-operators-token';

let node: TestNode;
let connectionId: string;

const env = (token = TOKEN) => ({ STENTOR_ADMIN_TOKEN: token });
const ask = (...args: string[]): Promise<CliResult> =>
  runCli([...args, '--admin-url', `http://127.0.0.1:${node.running.adminPort}`], { env: env() });
/** With one or more spaces between cells. */
const rows = ({ stdout }: CliResult) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));

beforeAll(async () => {
  node = await TestNode.start({
    nodeId: 'one',
    'admin.token': TOKEN,
    namespaces: {
      scores: { public: true, presence: 'members' },
      ticks: { public: true, state: 'keyed' },
      count: { public: true, presence: 'count' },
    },
  });
  const ann = await node.connect({
    encoding: 'json',
    token: await sign({ sub: 'ann\u202e[2J', exp: Date.now() / 1000 + 600, stentor: { info: { team: 2 } } }),
  });
  ({ connectionId } = await ann.next('connected'));
  for (const topic of ['scores.a', 'scores.b', 'scores.c', 'scores.d', 'ticks.fx']) await ann.subscribe(topic);
  for (let n = 0; n < 3; n++) await node.publish('scores.a', { n });
  await node.publish('ticks.fx', 1.08, { key: 'EUR/USD' });
  await node.publish('ticks.fx', null, { key: 'EUR/USD' });
});
afterAll(() => node?.stop());

describe('the commands that ask the HTTP API', () => {
  it('list topics, in pages by name, and as JSON', async () => {
    const first = await ask('topics', '--sort', 'name', '--limit', '2');
    expect(first.stdout).toMatch(/^TOPIC +MEMBERS +LAGGING +PUBLICATIONS\/S\nscores\.a +1 +0 +\S+\nscores\.b +1 +0 +\S+\n$/);
    const page = await ask('topics', '--sort', 'name', '--limit', '2', '--after', 'scores.b');
    expect(page.stdout).toContain('scores.c');
    expect(page.stderr).toBe('2 of 5; the next page: --after scores.d\n');
    const { topics, nodes } = JSON.parse((await ask('topics', '--prefix', 'ticks.', '--json')).stdout);
    expect([topics[0].topic, nodes]).toEqual(['ticks.fx', 1]);
  });

  it('print history, from the end and from a position', async () => {
    const last = await ask('history', 'scores.a', '--limit', '2');
    expect(last.stdout).toMatch(/^#\d+ {2}\d{4}-.*Z {2}\{"n":1\}\n#\d+ {2}.*\{"n":2\}\n$/);
    const { epoch, items } = JSON.parse((await ask('history', 'scores.a', '--json')).stdout);
    const since = await ask('history', 'scores.a', '--since', `${epoch}:${items[0].offset}`, '--limit', '1');
    expect(since.stdout).toContain('{"n":1}');
    expect(since.stderr).toBe(`there is more: --since ${epoch}:${items[1].offset}\n`);
    expect((await ask('history', 'ticks.fx')).stdout).toMatch(/EUR\/USD {2}\(removed\)\n$/);
    expect((await ask('history', 'scores.none')).stderr).toContain('nothing was published to it');
  });

  it('print the history between two times', async () => {
    const { items } = JSON.parse((await ask('history', 'scores.a', '--json')).stdout);
    const [from, to] = [items[0].publishedAtMs, new Date(items[2].publishedAtMs + 60_000).toISOString()];
    const all = await ask('history', 'scores.a', '--from', `${from}`, '--to', to, '--limit', '2');
    expect(all.stdout).toMatch(/\{"n":0\}\n.*\{"n":1\}\n$/);
    expect(all.stderr).toMatch(/^there is more: --since \S+:\d+ --to \S+Z\n$/);
    expect((await ask('history', 'scores.a', '--from', to)).stderr).toContain('nothing was published to it');
    for (const options of [
      ['--to', to],
      ['--from', 'noon'],
      ['--from', to, '--to', `${from}`],
      ['--from', to, '--since', 'a:1'],
    ])
      expect(await ask('history', 'scores.a', ...options)).toMatchObject({ code: 2, stderr: expect.stringContaining('usage') });
  });

  it('print nothing of data and names that a terminal would obey, and as JSON the same values', async () => {
    const data = { text: 'a\u009b2J\u0085\u202eb\u2028', n: 'é👩\u200d🚀' };
    await node.publish('scores.hostile', data);
    for (const mode of [[], ['--json']]) {
      const { stdout } = await ask('history', 'scores.hostile', ...mode);
      expect(stdout).toContain('"a\\u009b2J\\u0085\\u202eb\\u2028","n":"é👩\u200d🚀"');
      if (mode.length > 0) expect(JSON.parse(stdout).items[0].data).toEqual(data);
    }
  });

  it('print the answer of a namespace that only counts as it is', async () => {
    const answer = JSON.parse((await ask('presence', 'count.a', '--json')).stdout);
    expect(answer).toEqual({ topic: 'count.a', count: 0 });
  });

  it('show users, connections and presence, without control characters of names', async () => {
    const users = await ask('users');
    expect(rows(users)).toEqual([
      ['USER', 'CONNECTIONS'],
      ['ann�[2J', expect.stringMatching(/^ *1$/)],
    ]);
    const connections = await ask('connections', '--connection', connectionId);
    expect(connections.stdout).toMatch(new RegExp(`${connectionId} +ann�\\[2J +one .* json .* no +scores.a scores.b scores.c \\+2\n`));
    expect(JSON.parse((await ask('connections', '--user', 'ann\u202e[2J', '--json')).stdout)).toMatchObject({ total: 1 });
    const presence = await ask('presence', 'scores.a');
    expect(presence.stdout).toMatch(/^1 connection\nMEMBER +INFO\nann�\[2J +\{"team":2\}\n$/);
    expect(JSON.parse((await ask('presence', 'scores.a', '--json')).stdout)).toMatchObject({ count: 1, topic: 'scores.a' });
    expect(`${users.stdout}${connections.stdout}${presence.stdout}`).not.toContain('\u202e');
  });

  it('list nodes', async () => {
    const [head, one] = rows(await ask('nodes'));
    expect([head?.slice(0, 3), one?.slice(0, 2)]).toEqual([
      ['NODE', 'STATE', 'CONNECTIONS'],
      ['one', 'ready'],
    ]);
    expect(JSON.parse((await ask('nodes', '--json')).stdout).nodes).toMatchObject([{ nodeId: 'one', silent: false }]);
  });

  it('say how many connections were closed', async () => {
    const client = await node.connect({ encoding: 'json', token: await sign({ sub: 'bob', exp: Date.now() / 1000 + 600 }) });
    await client.next('connected');
    expect((await ask('disconnect', '--user', 'bob')).stdout).toBe('1 connection closed, on 1 node\n');
    expect(JSON.parse((await ask('disconnect', '--user', 'bob', '--json')).stdout)).toEqual({ connections: 0, nodes: 1, nodesSilent: [] });
  });

  it('quote the name of the next page for a shell', async () => {
    for (const sub of ["bob; echo 'x'", 'bob $(x)', 'carl']) {
      await (await node.connect({ encoding: 'json', token: await sign({ sub, exp: Date.now() / 1000 + 600 }) })).next('connected');
    }
    const page = await ask('users', '--prefix', 'bob', '--limit', '1');
    expect(page.stderr).toBe("1 of 2; the next page: --after 'bob $(x)'\n");
    expect((await ask('users', '--prefix', 'bob', '--limit', '1', '--after', 'bob $(x)')).stdout).toContain("bob; echo 'x'");
    expect((await ask('users', '--after', 'a', '--prefix', 'bob;')).stdout).toContain('bob;');
  });
});

describe('stentor subscribe', () => {
  it('answers calls of servers with no_handler, at once', async () => {
    const token = await sign({ sub: 'dora', exp: Date.now() / 1000 + 600, stentor: { subscribe: ['>'] } });
    const subscriber = new CliProcess(['subscribe', 'scores.a', '--url', node.url, '--token', token]);
    await subscriber.until(/subscribed to scores.a/);
    const { answers } = JSON.parse((await ask('call', 'cart.read', '--user', 'dora')).stdout);
    expect(answers).toMatchObject([{ error: { code: 'no_handler' } }]);
    await node.publish('scores.a', { after: 'the calls' });
    await subscriber.until(/after.*the calls/);
    subscriber.signal('SIGINT');
    expect((await subscriber.ended).code).toBe(0);
  });
});

describe('without --url', () => {
  it('publish, replay and bench connect to the node of their config', async () => {
    const { port, adminPort } = node.running;
    const here = ['--set', `port=${port}`, '--set', `admin.port=${adminPort}`, '--set', 'host=127.0.0.1'];
    const published = await runCli(['publish', 'scores.url', '1', ...here], { env: env() });
    expect(published.stderr).toMatch(/^stentor: forbidden|^stentor: unauthorized/);
    const bench = await runCli(['bench', 'scores.bench', '--connections', '3', '--duration', '500ms', '--json', ...here], { env: env() });
    expect(JSON.parse(bench.stdout).connections).toMatchObject({ wanted: 3, ready: 3 });
    const nowhere = await runCli(['bench', 'scores.bench', '--connections', '3', '--json', ...here, '--set', `port=${freePort()}`], {
      env: env(),
    });
    const { reasons, verdict } = JSON.parse(nowhere.stdout);
    expect([verdict, reasons]).toEqual(['bad', [expect.stringMatching(/^no connection could be opened: .*ECONNREFUSED/)]]);
    expect(nowhere.stderr).not.toContain('publishing');
  });
});

describe('stentor top', () => {
  it('prints once where its output is no terminal, and so often as it is told', async () => {
    const once = await ask('top');
    expect(once.code).toBe(0);
    expect(once.stdout).toMatch(/^NODE .*\none .*\n\nTOPIC .*\n(scores|ticks)/);
    expect(once.stdout).not.toContain('\u001b');
    const lines = (await ask('top', '--json', '--count', '2', '--interval', '10ms')).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).nodes[0].nodeId)).toEqual(['one', 'one']);
  });

  it.skipIf(SCRIPT === undefined)('draws a live table in a terminal, on a screen of its own, and gives the terminal back', async () => {
    const command = `${process.execPath} ${MAIN} top --count 2 --interval 10ms --admin-url http://127.0.0.1:${node.running.adminPort}`;
    const options = { env: { ...process.env, ...env(), TERM: 'xterm' } };
    const { stdout } = await promisify(execFile)(SCRIPT as string, ['-qec', command, '/dev/null'], options);
    expect(stdout.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
    expect(stdout.trimEnd().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
    expect(stdout.match(/Stentor at http/g)).toHaveLength(2);
    expect(stdout).toContain('scores.a');
  });
});

describe('what cannot be answered', () => {
  it('ends with a code, and says what to do', async () => {
    const at = (url: string, token?: string) => runCli(['nodes', '--admin-url', url], { env: token === undefined ? {} : env(token) });
    const here = `http://127.0.0.1:${node.running.adminPort}`;
    expect(await at(`http://127.0.0.1:${freePort()}`)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^stentor: unreachable: no answer from .*ECONNREFUSED.*Is a node running there\? Say where with --admin-url/,
      ),
    });
    expect((await at(here)).stderr).toMatch(
      /^stentor: unauthorized: a bearer token is required. Set admin.token or admin.tokens as on the node/,
    );
    expect((await at(here, 'another-token-of-16')).stderr).toContain(
      'stentor: unauthorized: this node does not know the given token. Set admin.token',
    );
    expect(await at('127.0.0.1:1')).toMatchObject({ code: 2, stderr: expect.stringContaining('expected a URL like') });
    const secret = await at(`http://me:hunter2@127.0.0.1:${freePort()}`);
    expect(secret).toMatchObject({ code: 2, stderr: expect.stringContaining('--admin-url: expected no user and password') });
    expect(secret.stderr).not.toContain('hunter2');
    expect(await ask('connections')).toMatchObject({ code: 2, stderr: expect.stringContaining('expected one of --user') });
    expect(await ask('topics', '--limit', 'many')).toMatchObject({ code: 2 });
    expect(await ask('history', 'nowhere.a')).toMatchObject({ code: 1, stderr: expect.stringContaining('unknown_namespace') });
    expect(await ask('history', 'scores.a', '--since', '7')).toMatchObject({ code: 2 });
  });

  it('says so if another program answers', async () => {
    const other = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    try {
      const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      const { code, stderr } = await runCli(['nodes', '--admin-url', url]);
      expect([code, stderr]).toEqual([1, `stentor: failed: ${url} answered 200, and not as an admin port of Stentor does\n`]);
    } finally {
      other.close();
    }
  });
});
