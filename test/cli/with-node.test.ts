import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createProgram } from '../../src/cli/program.ts';
import { tempFile } from '../config/helpers.ts';
import { TestClient } from '../support/test-client.ts';
import { CliProcess, type CliResult, runCli } from './run-cli.ts';

const SECRET = 'a-secret-of-thirty-two-characters!';
const ANY_PORT = ['--port', '0', '--admin-port', '0'];
const started: CliProcess[] = [];

function start(args: readonly string[], env: Record<string, string> = {}): CliProcess {
  const process = new CliProcess(args, { env });
  started.push(process);
  return process;
}

async function endAll(): Promise<void> {
  await Promise.all(started.splice(0).map((process) => process.kill()));
}

/** `stentor serve` without the demo, told to log JSON; resolves with its WebSocket URL. */
async function serve(...args: string[]): Promise<{ node: CliProcess; url: string }> {
  const node = start(['serve', ...ANY_PORT, '--workers', '0', ...args], { STENTOR_AUTH_KEYS: `[{alg: HS256, secret: ${SECRET}}]` });
  const [, port] = await node.until(/"port":(\d+)/);
  return { node, url: `ws://localhost:${port}/ws` };
}

async function tokenOf(...args: string[]): Promise<string> {
  return (await runCli(['token', '--secret', SECRET, ...args])).stdout.trim();
}

const lines = ({ stdout }: CliResult) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('stentor serve', () => {
  afterEach(endAll);

  it('runs a demo whose printed lines work as printed', async () => {
    const node = start(['serve', '--demo', ...ANY_PORT, '--workers', '0']);
    const [invitation] = await node.until(/Try:[\s\S]*with NATS.*\n/);
    expect(invitation).toMatch(/http:\/\/localhost:\d+\/\n/);
    expect(invitation).toMatch(/npx wscat -c ws:\/\/localhost:\d+\/ws\n/);
    expect(invitation).toContain('{"type":"subscribe","id":1,"topic":"scores.demo"}');

    const argsOf = (name: RegExp) => {
      const [, line = ''] = name.exec(invitation) ?? [];
      return (line.match(/'[^']*'|\S+/g) ?? []).map((argument) => argument.replaceAll("'", ''));
    };
    const ticks = await runCli([...argsOf(/main\.js (subscribe ticks.*)/), '--json', '--count', '3']);
    expect(ticks.code).toBe(0);
    expect(lines(ticks)).toHaveLength(3);
    expect(lines(ticks)[0]).toMatchObject({
      topic: 'ticks.demo',
      key: expect.any(String),
      data: { price: expect.any(Number), atMs: expect.any(Number) },
    });

    const listener = start([...argsOf(/main\.js (subscribe chat.*)/), '--json', '--count', '1']);
    await listener.until(/subscribed to chat\.demo/);
    const published = await runCli(argsOf(/main\.js (publish.*)/));
    expect(lines(published)).toEqual([{ topic: 'chat.demo', epoch: expect.any(String), offset: 1, duplicate: false }]);
    expect(lines(await listener.ended)).toMatchObject([
      { topic: 'chat.demo', offset: 1, data: { event: 'message', data: { text: 'hi' } }, origin: 'demo' },
    ]);
  });

  it('drains and exits with 0 at SIGTERM, and tells its clients why', async () => {
    const { node, url } = await serve();
    const subscriber = start(['subscribe', 'scores.a', '--url', url]);
    await subscriber.until(/subscribed to scores\.a/);
    node.signal('SIGTERM');
    expect((await node.ended).code).toBe(0);
    const { code, stderr } = await subscriber.ended;
    expect(code).toBe(1);
    expect(stderr).toContain('connection_closed: the node closed the connection: 4200 node draining');
  });

  it('ends its worker processes as soon as they have drained', async () => {
    const { node, url } = await serve('--workers', '2');
    const client = new WebSocket(url);
    await once(client, 'open');
    const closed = once(client, 'close');
    node.signal('SIGTERM');
    expect((await closed)[0]).toBe(4200);
    const { code, stdout } = await node.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('node stopped');
    expect(stdout).not.toContain('drain timed out');
  });

  it('ends at once at a second signal, however long the drain', async () => {
    const { node, url } = await serve('--set', 'hub.drainConnectionsPerSecond=1');
    const clients = Array.from({ length: 30 }, () => new WebSocket(url));
    await Promise.all(clients.map((client) => once(client, 'open')));
    node.signal('SIGTERM');
    await node.until(/"reason":"SIGTERM"/);
    node.signal('SIGTERM');
    expect((await node.ended).code).toBe(128 + 15);
    for (const client of clients) client.terminate();
  });

  it('ends with 2 for a bad configuration, and with 1 and a code where it cannot start', async () => {
    const bad = await runCli(['serve', '--workers', 'many']);
    expect(bad).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('workers = "many" (flag): expected a whole number from 0 to 256'),
    });

    const blocker = createServer().listen(0);
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };
    try {
      const taken = await runCli(['serve', '--port', String(port), '--admin-port', '0', '--workers', '0']);
      expect(taken.code).toBe(1);
      expect(taken.stderr).toMatch(/^stentor: listen_failed: .*\n$/);
    } finally {
      blocker.close();
    }
  });

  it('refuses a demo without the namespaces that it feeds', async () => {
    const { code, stderr } = await runCli(['serve', '--demo', '--set', 'namespaces={"news":{}}']);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('bad_config: the demo needs the namespaces scores') });
  });
});

describe('with a running node', () => {
  let url = '';
  let token = '';

  beforeAll(async () => {
    ({ url } = await serve(
      '--set',
      'limits.messagesPerSecondMax=200',
      '--set',
      'namespaces.ticks.clientPublish=true',
      '--set',
      'limits.messageBytesMax=65536',
    ));
    token = await tokenOf('--sub', 'alice', '--subscribe', '>', '--publish', 'chat.>', 'ticks.>');
  });
  afterAll(endAll);

  it.each(['json', 'msgpack'])('publishes and subscribes in %s', async (encoding) => {
    const common = ['--url', url, '--token', token, '--encoding', encoding];
    const topic = `chat.${encoding}`;
    const subscriber = start(['subscribe', topic, '--count', '2', ...common]);
    await subscriber.until(/subscribed to chat/);
    const first = await runCli(['publish', topic, '{"n":1}', ...common]);
    expect(first.stderr).toContain(`published to ${url}`);
    const [ack] = lines(first);
    const second = await runCli(['publish', topic, ...common], { input: '"größer"\n' });
    expect(lines(second)[0].offset).toBeGreaterThan(ack.offset);
    const { code, stdout } = await subscriber.ended;
    expect(code).toBe(0);
    expect(stdout).toBe(`${topic}  #${ack.offset}  {"n":1}  (from alice)\n${topic}  #${lines(second)[0].offset}  "größer"  (from alice)\n`);

    const later = await runCli(['subscribe', topic, '--since', `${ack.epoch}:${ack.offset}`, '--json', '--count', '1', ...common]);
    expect(later.stderr).toContain('recovered');
    expect(lines(later)[0]).toMatchObject({ data: 'größer' });
    expect(lines(later)[0]).not.toHaveProperty('publishedAtMs');
    const timed = ['subscribe', topic, '--snapshot', '--timestamps', '--count', '1', ...common];
    const { publishedAtMs } = lines(await runCli([...timed, '--json']))[0];
    expect(Math.abs(publishedAtMs - Date.now())).toBeLessThan(600_000);
    const from = ['subscribe', topic, '--from', `${publishedAtMs}`, '--json', '--count', '1', ...common];
    expect(lines(await runCli(from))[0]).toMatchObject({ data: 'größer' });
    expect((await runCli(timed)).stdout).toContain(`(from alice)  (${new Date(publishedAtMs).toISOString()})\n`);
  });

  it('publishes with tags, and subscribes by them', async () => {
    const common = ['--url', url, '--token', token];
    const filter = ['--filter', 'league=epl', '--filter', 'league=La Liga', '--filter', 'status=live'];
    const subscriber = start(['subscribe', 'chat.tags', '--json', '--count', '1', ...filter, ...common]);
    await subscriber.until(/subscribed to chat/);
    for (const league of ['ucl', 'La Liga'])
      await runCli(['publish', 'chat.tags', `"${league}"`, '--tag', `league=${league}`, '--tag', 'status=live', ...common]);
    const { code, stdout } = await subscriber.ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ data: 'La Liga', tags: { league: 'La Liga', status: 'live' } });
    for (const bad of [
      ['--tag', 'league'],
      ['--tag', '=x'],
      ['--tag', 'League=x'],
      ['--tag', 'a=é'],
    ])
      expect(await runCli(['publish', 'chat.tags', '1', ...bad, ...common])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--tag'),
      });
    expect(await runCli(['subscribe', 'chat.tags', '--filter', 'A=b', ...common])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--filter'),
    });
  });

  it.each(['json', 'msgpack'])('publishes integers with all their digits, in %s', async (encoding) => {
    const topic = `chat.long-${encoding}`;
    await runCli(['publish', topic, '{"orderId":8389765929445198309}', '--url', url, '--token', token, '--encoding', encoding]);
    const client = await TestClient.connect(url, { encoding: 'msgpack', token });
    const { items } = await client.get('history', { type: 'history', topic, last: 1 });
    expect(items[0]?.[2]).toEqual({ orderId: 8389765929445198309n });
    await client.close();
  });

  /** A command in this process: what would be printed as `stentor: <code>: <message>`. */
  function refusal(...args: string[]): Promise<unknown> {
    const running = createProgram().parseAsync(args, { from: 'user' });
    return running.then(
      () => 'was not refused',
      (error: unknown) => error,
    );
  }

  it('says why a publish or a subscribe was refused', async () => {
    const publish = (...args: string[]) => refusal('publish', ...args, '--url', url);
    expect(await publish('chat.a', '1')).toMatchObject({ code: expect.stringMatching(/^(unauthorized|forbidden)$/) });
    expect(await publish('nowhere.a', '1', '--token', token)).toMatchObject({ code: 'unknown_namespace' });
    expect(await publish('ticks.a', '1', '--token', token)).toMatchObject({ code: 'key_required' });
    expect(await publish('chat.a', '{', '--token', token)).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('not valid JSON'),
    });
    expect(await publish('chat.a', '1', '--token', 'no.such.token')).toMatchObject({ code: 'unauthorized' });
    expect(await refusal('subscribe', 'chat.a', '--url', url)).toMatchObject({ code: expect.stringMatching(/^(unauthorized|forbidden)$/) });
    const elsewhere = url.replace('/ws', '/nowhere');
    expect(await refusal('subscribe', 'scores.a', '--url', elsewhere)).toMatchObject({
      code: 'refused',
      message: expect.stringContaining('HTTP 404'),
    });
  });

  it('exits with 1 and one line if a node refuses', async () => {
    const { code, stdout, stderr } = await runCli(['publish', 'nowhere.a', '1', '--url', url, '--token', token]);
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(/^stentor: unknown_namespace: .*\n$/) });
  });

  it('replays a CSV file in order, reports its invalid lines and continues', async () => {
    const subscriber = start(['subscribe', 'ticks.fx', '--json', '--count', '39', '--url', url, '--token', token]);
    await subscriber.until(/subscribed/);
    const rows = Array.from({ length: 40 }, (_, i) =>
      i === 20 ? 'yesterday,1,2' : `20200101 1700${String(i).padStart(2, '0')}${'000'},${1 + i / 1000},2`,
    );
    const file = tempFile('ticks.csv', ['time_utc,bid,ask', ...rows].join('\r\n'));
    const args = [
      'replay',
      file,
      '--topic',
      'ticks.fx',
      '--key',
      'EURUSD',
      '--time-field',
      'time_utc',
      '--speed',
      '1000',
      '--url',
      url,
      '--token',
      token,
    ];
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'line 22: no time in time_utc\n' });
    expect(stdout).toMatch(/^39 acknowledged by ws:.* in \d+\.\d\d s \(\d+\/s\), offsets \d+–\d+, 0 duplicates, 1 bad lines\n$/);
    const received = lines(await subscriber.ended);
    expect(received.map((item) => item.data.bid)).toEqual(Array.from({ length: 40 }, (_, i) => 1 + i / 1000).filter((_, i) => i !== 20));
    expect(received.every((item) => item.key === 'EURUSD')).toBe(true);
  });

  it('replays NDJSON as fast as the node accepts it, and never above its limit', async () => {
    const count = 450;
    const subscriber = start(['subscribe', 'chat.fast', '--json', '--count', String(count), '--url', url, '--token', token]);
    await subscriber.until(/subscribed/);
    const file = tempFile('chat.ndjson', Array.from({ length: count }, (_, n) => JSON.stringify({ n })).join('\n'));
    const { code, stdout } = await runCli(['replay', file, '--topic', 'chat.fast', '--url', url, '--token', token]);
    expect(code).toBe(0);
    expect(stdout).toContain(`${count} acknowledged`);
    expect(lines(await subscriber.ended).map((item) => item.data.n)).toEqual(Array.from({ length: count }, (_, n) => n));
  });

  it('stops at the first bad line when strict, and at a refusal that all would meet', async () => {
    const file = tempFile('a.ndjson', '{"n":1}\n{"n":\n{"n":3}\n');
    const strict = await runCli(['replay', file, '--topic', 'chat.strict', '--strict', '--url', url, '--token', token]);
    expect(strict).toMatchObject({ code: 1, stdout: expect.stringMatching(/^1 acknowledged .* 1 bad lines\n$/) });
    expect(strict.stderr).toBe('line 2: not valid JSON\nstentor: bad_line: stopped at line 2: not valid JSON\n');
    const forbidden = await runCli(['replay', file, '--topic', 'scores.strict', '--url', url, '--token', token]);
    expect(forbidden).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^0 acknowledged/),
      stderr: expect.stringMatching(/stentor: \w+: stopped at line 1: /),
    });
  });

  it('ends a replay at SIGINT with its counts', async () => {
    const file = tempFile('a.ndjson', '{"at":0}\n{"at":3600000}\n');
    const subscriber = start(['subscribe', 'chat.slow', '--count', '1', '--url', url, '--token', token]);
    await subscriber.until(/subscribed/);
    const replay = start(['replay', file, '--topic', 'chat.slow', '--time-field', 'at', '--url', url, '--token', token]);
    await subscriber.ended;
    replay.signal('SIGINT');
    expect(await replay.ended).toMatchObject({ code: 130, stdout: expect.stringMatching(/^1 acknowledged/) });
  });

  it('requires the options of a replay', async () => {
    const replay = (...args: string[]) => refusal('replay', ...args, '--url', url);
    const cases: [args: string[], code: string, message: string][] = [
      [['a.csv', '-t', 'chat.a', '--speed', '60'], 'usage', '--speed "60": needs --time-field'],
      [['a.csv', '-t', 'chat.a', '--time-field', 't', '--speed', 'fast'], 'usage', '--speed "fast": expected a number above 0'],
      [['a.csv', '-t', 'chat.a', '--key', 'a', '--key-field', 'b'], 'usage', 'not both'],
      [['a.txt', '-t', 'chat.a'], 'usage', '--format'],
      [['/tmp', '-t', 'chat.a', '--format', 'csv'], 'bad_file', '/tmp: a directory'],
      [['/nowhere.csv', '-t', 'chat.a'], 'bad_file', '/nowhere.csv: no such file'],
    ];
    for (const [args, code, message] of cases)
      expect(await replay(...args)).toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
