import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import type { Publication } from '../../src/bus/publication.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { tempFile } from '../config/helpers.ts';
import { freePort } from '../support/free-port.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { CliProcess, runCli } from './run-cli.ts';

const COUNT = 2000;

describe('straight to NATS', () => {
  let nats: NatsServer;
  beforeAll(async () => {
    nats = await startNatsServer();
    // As a node that starts makes the streams.
    await (await runningBus()).stop();
  });
  afterAll(() => nats.stop());

  async function runningBus(): Promise<Bus> {
    const bus = await createBus(loadConfig({ env: {}, flags: { 'nats.url': nats.url } }).config);
    await bus.start();
    return bus;
  }

  /** What the log has of a topic, read as a node would. */
  async function stored(topic: string): Promise<readonly Publication[]> {
    const bus = await runningBus();
    try {
      const [namespace = ''] = topic.split('.');
      return (await bus.log(namespace).read(parseTopic(topic), { after: 0, limit: COUNT + 1 })).publications;
    } finally {
      await bus.stop();
    }
  }

  const value = ({ payload }: Publication) => JSON.parse(new TextDecoder().decode(payload));

  it('publishes one value, and prints its ack', async () => {
    const { code, stdout, stderr } = await runCli(['publish', 'scores.one', '{"goal":true}', '--nats-url', nats.url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: `published to ${nats.url}\n` });
    const [publication] = await stored('scores.one');
    expect(JSON.parse(stdout)).toEqual({ topic: 'scores.one', offset: publication?.offset, duplicate: false });
    expect(publication && value(publication)).toEqual({ goal: true });
  });

  it('publishes about a key, found by the variable that names NATS', async () => {
    const env = { STENTOR_NATS_URL: nats.url };
    expect((await runCli(['publish', 'ticks.one', '1', '--key', 'BTC/USDT'], { env })).code).toBe(0);
    expect((await stored('ticks.one')).map(({ key }) => key)).toEqual(['BTC/USDT']);
  });

  it('publishes to an ephemeral namespace, and says that there is no position', async () => {
    const { stdout } = await runCli(['publish', 'user.alice', '1', '--nats-url', nats.url]);
    expect(JSON.parse(stdout)).toEqual({ topic: 'user.alice', namespace: 'user', ephemeral: true });
  });

  it.each([
    ['unknown_namespace', ['nowhere.a', '1']],
    ['key_required', ['ticks.a', '1']],
    ['key_not_allowed', ['scores.a', '1', '--key', 'k']],
    ['message_too_big', ['scores.a', JSON.stringify('x'.repeat(65_535))]],
  ])('refuses with %s itself, because over NATS no answer would come', async (code, args) => {
    expect(await runCli(['publish', ...args, '--nats-url', nats.url])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`stentor: ${code}: `),
    });
  });

  it('replays a file as fast as acks come, every record once and in order', async () => {
    const rows = Array.from({ length: COUNT }, (_, i) => `${i},${1 + i / 10_000}`);
    const file = tempFile('odds.csv', ['n,price', ...rows, ''].join('\n'));
    const { code, stdout, stderr } = await runCli(['replay', file, '--topic', 'scores.fast', '--nats-url', nats.url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^${COUNT} acknowledged by nats://127.0.0.1:\\d+ in .*, 0 duplicates, 0 bad lines\n$`));
    const publications = await stored('scores.fast');
    expect(publications.map(value)).toEqual(Array.from({ length: COUNT }, (_, n) => ({ n, price: 1 + n / 10_000 })));
  });

  it('keeps the file’s own timing, divided by the speed', async () => {
    const times = [0, 20_000, 20_000, 60_000];
    const file = tempFile('match.ndjson', times.map((atMs) => JSON.stringify({ atMs })).join('\n'));
    const { code } = await runCli([
      'replay',
      file,
      '--topic',
      'scores.timed',
      '--time-field',
      'atMs',
      '--speed',
      '60',
      '--nats-url',
      nats.url,
    ]);
    expect(code).toBe(0);
    const published = (await stored('scores.timed')).map(({ publishedAtMs }) => publishedAtMs);
    expect(published).toHaveLength(4);
    // A minute of the file is a second: never faster than that. How much slower is the machine's business.
    const [first = 0, second = 0, , fourth = 0] = published;
    expect(second - first).toBeGreaterThanOrEqual(300);
    expect(fourth - first).toBeGreaterThanOrEqual(950);
  });

  it('reads the key of each record from a field', async () => {
    const file = tempFile('ticks.ndjson', '{"s":"BRK.A","p":1}\n{"p":2}\n{"s":105433.6,"p":3}\n');
    const { stdout, stderr } = await runCli(['replay', file, '-t', 'ticks.keys', '--key-field', 's', '--nats-url', nats.url]);
    expect(stdout).toContain('2 acknowledged');
    expect(stderr).toBe('line 2: no key in s\n');
    expect((await stored('ticks.keys')).map((publication) => [publication.key, value(publication).p])).toEqual([
      ['BRK.A', 1],
      ['105433.6', 3],
    ]);
  });

  it('says in one line that NATS cannot be reached', async () => {
    const url = `nats://127.0.0.1:${freePort()}`;
    const { code, stdout, stderr } = await runCli([
      'publish',
      'scores.a',
      '1',
      '--nats-url',
      url,
      '--set',
      'tuning.nats.connectTimeoutMs=500',
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^stentor: bus_unreachable: .*\n$/);
  });

  it('serves what is published to NATS', async () => {
    const node = new CliProcess(['serve', '--port', '0', '--admin-port', '0', '--workers', '0', '--nats-url', nats.url]);
    const [, port] = await node.until(/"port":(\d+)/);
    const subscriber = new CliProcess(['subscribe', 'scores.live', '--count', '1', '--url', `ws://localhost:${port}/ws`]);
    try {
      await subscriber.until(/subscribed to scores\.live/);
      await runCli(['publish', 'scores.live', '{"goal":1}', '--nats-url', nats.url]);
      expect((await subscriber.ended).stdout).toMatch(/^scores\.live {2}#\d+ {2}\{"goal":1\}\n$/);
      node.signal('SIGINT');
      expect((await node.ended).code).toBe(0);
    } finally {
      await Promise.all([node.kill(), subscriber.kill()]);
    }
  });
});

describe('subscribe', () => {
  it('reports when the feed is not live, also to new clients, and when it is live again', async () => {
    const server = await startNatsServer();
    const node = new CliProcess(['serve', '--port', '0', '--admin-port', '0', '--workers', '0', '--nats-url', server.url]);
    const subscribers: CliProcess[] = [];
    const subscribe = async () => {
      const [, port] = await node.until(/"port":(\d+)/);
      const subscriber = new CliProcess(['subscribe', 'scores.a', '--count', '1', '--url', `ws://localhost:${port}/ws`]);
      subscribers.push(subscriber);
      return subscriber;
    };
    try {
      const first = await subscribe();
      await first.until(/subscribed to scores\.a/);
      await server.halt();
      await first.until(/^not live \(.+\)$/m);
      const second = await subscribe();
      await second.until(/^not live \(.+\)$/m);
      await server.restart();
      for (const subscriber of subscribers) await subscriber.until(/^live again$/m);
      await second.until(/subscribed to scores\.a/);
    } finally {
      await Promise.all([node, ...subscribers].map((started) => started.kill()));
      await server.stop();
    }
  });
});

describe('setup', () => {
  it('creates the streams and the bucket, with which a node without that permission can start', async () => {
    const server = await startNatsServer();
    try {
      const settings = ['--nats-url', server.url];
      expect(await runCli(['setup', ...settings])).toEqual({
        code: 0,
        stdout: 'stentor-scores\nstentor-ticks\nstentor-chat\nstentor-epochs\nstentor-lives\n',
        stderr: 'all 5 exist and match the configuration\n',
      });
      expect((await runCli(['setup', ...settings])).code).toBe(0);
      const bus = await createBus(loadConfig({ env: {}, flags: { 'nats.url': server.url, 'nats.manageStreams': false } }).config);
      await bus.start();
      await bus.stop();
      // What is there and different is told, and left as it is.
      const other = await runCli(['setup', ...settings, '--set', 'namespaces.scores.history.maxCount=7']);
      expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('stream_mismatch') });
    } finally {
      await server.stop();
    }
  });

  it('without NATS is asked wrongly', async () => {
    expect(await runCli(['setup'])).toMatchObject({ code: 2, stderr: expect.stringContaining('nats.url') });
  });
});
