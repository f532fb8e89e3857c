import { DiscardPolicy, type JetStreamManager, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream';
import { connect, type NatsConnection, nanos } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tempFile } from '../config/helpers.ts';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.ts';
import { runCli } from './run-cli.ts';

let nats: NatsServer;
let admin: NatsConnection;
let jsm: JetStreamManager;

async function start(options: NatsServerOptions = {}): Promise<void> {
  nats = await startNatsServer(options);
  admin = await connect({ servers: nats.url });
  jsm = await jetstreamManager(admin, { checkAPI: false });
}
afterEach(async () => {
  await admin.close();
  await nats.stop();
});

const streams = async () => (await jsm.streams.list().next()).map(({ config }) => config.name).sort();
const FILE = '{"n":1}\n{"n":2}\n';
/** Each command that publishes, to this topic. */
const COMMANDS: [string, (topic: string) => string[]][] = [
  ['publish', (topic) => ['publish', topic, '1']],
  ['replay', (topic) => ['replay', tempFile('two.ndjson', FILE), '--topic', topic]],
];

describe.each(COMMANDS)('stentor %s, on a NATS that has no streams,', (_name, command) => {
  beforeEach(() => start());

  it('makes nothing, and says which stream is missing and how to make it', async () => {
    const { code, stdout, stderr } = await runCli([...command('scores.a'), '--nats-url', nats.url]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^stentor: stream_missing: .*stentor-scores.*start a node.*--create\n$/);
    expect(await streams()).toEqual([]);
  });

  it('makes the one that it needs with --create, and no other', async () => {
    const { code } = await runCli([...command('scores.a'), '--create', '--nats-url', nats.url]);
    expect(code).toBe(0);
    expect(await streams()).toEqual(['stentor-scores']);
    expect((await jsm.streams.info('stentor-scores')).config).toMatchObject({ deny_purge: true, max_msgs_per_subject: 10_000 });
  });
});

describe.each(COMMANDS)('stentor %s, on a NATS that is somebody’s own,', (_name, command) => {
  beforeEach(async () => {
    await start();
    const other = { retention: RetentionPolicy.Limits, discard: DiscardPolicy.Old };
    await jsm.streams.add({ ...other, name: 'stentor-scores', subjects: ['feed.scores.>'], max_age: nanos(3_600_000) });
    await jsm.streams.add({ ...other, name: 'stentor-ticks', subjects: ['feed.ticks.>'], max_bytes: 1_000_000 });
    await jsm.streams.add({ ...other, name: 'ORDERS', subjects: ['orders.>', 'feed.chat.>'] });
  });

  it('publishes, whatever its and other namespaces’ streams are like, and changes none', async () => {
    const before = await jsm.streams.list().next();
    const { code, stderr } = await runCli([...command('scores.a'), '--nats-url', nats.url]);
    expect(stderr).not.toContain('stream_mismatch');
    expect(code).toBe(0);
    const after = await jsm.streams.list().next();
    expect(after.map(({ config }) => config)).toEqual(before.map(({ config }) => config));
    expect((await jsm.streams.info('stentor-scores')).state.messages).toBeGreaterThan(0);
  });

  it('stores nothing in a stream that is not its namespace’s', async () => {
    const { code, stderr } = await runCli([...command('chat.a'), '--nats-url', nats.url]);
    expect(code).toBe(1);
    expect(stderr).toContain('stream_missing');
    expect((await jsm.streams.info('ORDERS')).state.messages).toBe(0);
  });
});

describe('stentor publish', () => {
  it('needs no JetStream for an ephemeral namespace, and says so for a durable one', async () => {
    await start({ jetstream: false });
    expect((await runCli(['publish', 'user.ana', '1', '--nats-url', nats.url])).code).toBe(0);
    const { code, stderr } = await runCli(['publish', 'scores.a', '1', '--nats-url', nats.url]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^stentor: jetstream_unavailable: /);
  });

  it('needs no more rights than to publish to its feed', async () => {
    const users = `users = [
      { user: admin, password: secret }
      { user: producer, password: secret, permissions: { publish: ["feed.scores.>"], subscribe: ["_INBOX.>"] } }
    ]`;
    await start({ config: `authorization { ${users} }\nno_auth_user: admin` });
    await jsm.streams.add({ name: 'stentor-scores', subjects: ['feed.scores.>'] });
    const url = nats.url.replace('//', '//producer:secret@');
    const { code, stdout } = await runCli(['publish', 'scores.a', '1', '--nats-url', url]);
    expect({ code, ack: JSON.parse(stdout || '{}') }).toEqual({ code: 0, ack: { topic: 'scores.a', offset: 1, duplicate: false } });
  });
});
