import { DiscardPolicy, type JetStreamManager, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream';
import { connect, type NatsConnection, nanos } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tempFile } from '../config/helpers.ts';
import { ROLES, type Role, roleSettings } from '../support/nats-roles.ts';
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

  it('creates the one that it needs with --create, and no other', async () => {
    const { code } = await runCli([...command('scores.a'), '--create', '--nats-url', nats.url]);
    expect(code).toBe(0);
    expect(await streams()).toEqual(['stentor-scores']);
    expect((await jsm.streams.info('stentor-scores')).config).toMatchObject({ deny_purge: true, max_msgs_per_subject: 10_000 });
  });
});

describe.each(COMMANDS)('stentor %s, on a NATS with streams of others,', (_name, command) => {
  beforeEach(async () => {
    await start();
    const other = { retention: RetentionPolicy.Limits, discard: DiscardPolicy.Old };
    await jsm.streams.add({ ...other, name: 'stentor-scores', subjects: ['feed.scores.>'], max_age: nanos(3_600_000) });
    await jsm.streams.add({ ...other, name: 'stentor-ticks', subjects: ['feed.ticks.>'], max_bytes: 1_000_000 });
    await jsm.streams.add({ ...other, name: 'ORDERS', subjects: ['orders.>', 'feed.chat.>'] });
  });

  it('publishes although the settings of streams differ from the namespaces’, and changes no stream', async () => {
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

  it('names the stream that has its namespace’s subjects, if it should create one', async () => {
    const { code, stderr } = await runCli([...command('chat.a'), '--create', '--nats-url', nats.url]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^stentor: stream_refused: stream stentor-chat: "ORDERS" has subjects of feed\.chat, feed\.chat\.> already[^\n]*\n$/,
    );
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

  describe('as the documented producer', () => {
    const as = (role: Role, settings: Record<string, string> = {}) =>
      Object.entries({ ...roleSettings(role), ...settings }).flatMap(([path, value]) => ['--set', `${path}=${value}`]);
    const publish = (topic: string, ...more: string[]) => runCli(['publish', topic, '1', '--nats-url', nats.url, ...more]);

    beforeEach(async () => {
      await start({ config: `${ROLES.replace('users = [', 'users = [\n{ user: admin, password: secret }')}\nno_auth_user: admin` });
      await jsm.streams.add({ name: 'stentor-scores', subjects: ['feed.scores.>'] });
    });
    const stored = async () => (await jsm.streams.info('stentor-scores')).state.messages;

    it('needs only those permissions, and gets no error about others', async () => {
      const { code, stdout, stderr } = await publish('scores.a', ...as('PRODUCER'));
      const ack = { topic: 'scores.a', offset: 1, duplicate: false };
      expect({ code, ack: JSON.parse(stdout || '{}'), stderr }).toEqual({ code: 0, ack, stderr: `published to ${nats.url}\n` });
      expect(await publish('user.a', ...as('PRODUCER'))).toMatchObject({ code: 0, stderr: `published to ${nats.url}\n` });
    });

    it('reports a missing permission once, in one line', async () => {
      for (const topic of ['chat.a', 'user.a']) {
        const { code, stderr } = await publish(topic, ...as('SETUP'), '--set', 'nats.inboxPrefix=_INBOX_setup');
        expect(code).toBe(1);
        const [namespace] = topic.split('.');
        expect(stderr).toMatch(/^stentor: permission_denied: [^\n]+\n$/);
        expect(stderr).toContain(`"feed.${namespace}.>" in permissions.publish`);
      }
      const { code, stderr } = await publish('scores.a', ...as('PRODUCER'), '--create');
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^stentor: permission_denied: [^\n]+"\$JS\.API\.STREAM\.INFO\.stentor-scores" in permissions\.publish[^\n]+\n$/,
      );
    });

    it('publishes nothing where its acknowledgement could not come', async () => {
      const { code, stderr } = await publish('scores.a', ...as('PRODUCER', { 'nats.inboxPrefix': '_INBOX_other' }));
      expect({ code, stored: await stored() }).toEqual({ code: 1, stored: 0 });
      expect(stderr).toMatch(
        /^stentor: permission_denied: [^\n]+"_INBOX_other\.>" in permissions\.subscribe, or nats\.inboxPrefix [^\n]+\n$/,
      );
    });
  });
});
