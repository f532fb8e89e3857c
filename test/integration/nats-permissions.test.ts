import { readFileSync } from 'node:fs';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setUpNats } from '../../src/bus/nats/set-up.ts';
import type { Encoding } from '../../src/protocol/codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { busConfig } from '../bus/nats-config.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { permissionsOf, ROLES, roleSettings, rolesWithout } from '../support/nats-roles.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = { scores: { public: true, clientPublish: true }, user: { durable: false, clientPublish: true, presence: 'members' } };
const GRANTS = { sub: 'a', subscribe: ['>'], publish: ['>', 'user.*'], call: ['>'] };

const ADMIN_TOKEN = 'the-operators-token';
const ADMIN = { Authorization: `Bearer ${ADMIN_TOKEN}` };

/** Enough for a consumer to ask for flow control. */
const BURST = { count: 400, bytes: 50_000 };
const BURST_PAYLOAD = Buffer.from(JSON.stringify('x'.repeat(BURST.bytes)));

describe.each(natsServerBinaries())('with the documented permissions (%s)', (binary) => {
  let server: NatsServer;
  let service: NatsConnection;
  let producer: NatsConnection;

  const as = (role: 'PRODUCER' | 'SERVICE') => {
    const { 'nats.user': user = '', 'nats.password': pass = '', 'nats.inboxPrefix': inboxPrefix = '' } = roleSettings(role);
    return connect({ servers: server.url, user, pass, inboxPrefix, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  };

  beforeAll(async () => {
    server = await startNatsServer({ binary, config: ROLES });
    const warnings: string[] = [];
    const made = await setUpNats(
      busConfig(server.url, { namespaces: NAMESPACES, ...roleSettings('SETUP') }),
      (text) => void warnings.push(text),
    );
    expect({ made, warnings }).toEqual({ made: ['stentor-scores', 'stentor-epochs', 'stentor-lives'], warnings: [] });
    service = await as('SERVICE');
    service.subscribe('rpc.echo', { callback: (_, message) => void message?.respond(message.data) });
    await service.flush();
    producer = await as('PRODUCER');
  });
  afterAll(async () => {
    await service?.close();
    await producer?.close();
    await server?.stop();
  });

  const start = (settings: Record<string, unknown> = {}) =>
    TestNode.start({
      namespaces: NAMESPACES,
      'nats.url': server.url,
      'nats.manageStreams': false,
      'tuning.nats.checkpointIntervalMs': 100,
      'limits.connectionsPerUserMax': 100,
      'admin.token': ADMIN_TOKEN,
      ...roleSettings('NODE'),
      ...settings,
    });

  /** Its own topic is `user.a`. */
  async function asUser(node: TestNode, encoding: Encoding = 'json'): Promise<TestClient> {
    const client = await node.connect({ encoding, token: await tokenOf(GRANTS) });
    await client.next('connected');
    return client;
  }

  /** Uses everything once; what is refused is refused. @returns the answers, by what was asked for */
  async function use(node: TestNode): Promise<Record<string, string>> {
    const client = await asUser(node);
    const answers: Record<string, string> = {};
    const ask = async (name: string, command: Parameters<typeof client.ask>[0]) => {
      const answer = await client.ask(command);
      answers[name] = answer.type === 'error' ? `${answer.code}: ${answer.message}` : answer.type;
    };
    await ask('publish', { type: 'publish', topic: 'scores.a', data: 1 });
    await ask('subscribe', { type: 'subscribe', topic: 'scores.a', snapshot: true });
    // Opened together.
    const topics = ['b', 'c', 'd', 'e'].map((name) => `scores.${name}`);
    await Promise.all(topics.map((topic) => ask('subscribe', { type: 'subscribe', topic, snapshot: true })));
    await ask('history', { type: 'history', topic: 'scores.a', last: 5 });
    await ask('listen', { type: 'subscribe', topic: 'user.a' });
    await ask('say', { type: 'publish', topic: 'user.a', data: 1 });
    await ask('rpc', { type: 'call', method: 'echo', data: 1 });
    const order = { method: 'POST', headers: ADMIN, body: '{"user":"nobody"}' };
    await fetch(`http://127.0.0.1:${node.running.adminPort}/api/disconnect`, order);
    const { connectionId } = client.messages.find(({ type }) => type === 'connected') as ServerMessage<'connected'>;
    const post = async (path: string, body: object) => {
      const url = `http://127.0.0.1:${node.running.adminPort}/api/${path}`;
      const answer = await fetch(url, { method: 'POST', headers: ADMIN, body: JSON.stringify(body) });
      answers[path] = `${answer.status} ${(await answer.text()).trim()}`;
    };
    await post('send', { namespace: 'user', data: 1 });
    // Nobody answers it.
    await post('call', { connectionId, method: 'm', timeoutMs: 50 });
    await node.admin('/api/users', ADMIN);
    return answers;
  }

  const WORKS = {
    publish: 'published',
    subscribe: 'subscribed',
    history: 'history',
    listen: 'subscribed',
    say: 'published',
    rpc: 'result',
    call: expect.stringMatching(/^200 .*"timeout"/),
    send: '200 {}',
  };

  it('a node does all that it does, and lacks nothing', async () => {
    const node = await start();
    try {
      expect(await use(node)).toEqual(WORKS);
      expect(await (await node.admin('/api/nodes', ADMIN)).text()).toContain(node.running.nodeId);
      expect(node.log.join('\n')).not.toContain('denies');
    } finally {
      await node.stop();
    }
  });

  it('a node keeps and reads revocations with those of auth.revocations', async () => {
    const [, lines = ''] =
      /With `auth\.revocations`[\s\S]*?```conf\n([\s\S]*?)```/.exec(
        readFileSync(new URL('../../src/bus/README.md', import.meta.url), 'utf8'),
      ) ?? [];
    const subjects = Array.from(lines.matchAll(/"([^"]+)"/g), ([, subject = '']) => subject);
    expect(subjects).toHaveLength(5);
    const made = ROLES.replace(
      'SETUP = {\n    publish = [',
      `SETUP = {\n    publish = [\n"$JS.API.STREAM.CREATE.KV_stentor-revocations"\n${lines}`,
    );
    await server.reload(made.replace('NODE = {\n    publish = [', `NODE = {\n    publish = [\n${lines}`));
    const settings = { 'auth.revocations': 'refuse' };
    await setUpNats(busConfig(server.url, { namespaces: NAMESPACES, ...settings, ...roleSettings('SETUP') }), () => undefined);
    try {
      for (let i = 0; i < 2; i++) {
        const node = await start(settings);
        try {
          const revoke = { method: 'POST', headers: ADMIN, body: '{"user":"nobody"}' };
          const answer = await fetch(`http://127.0.0.1:${node.running.adminPort}/api/revoke`, revoke);
          expect([answer.status, await answer.json()]).toEqual([200, { nodes: 1, nodesSilent: [], connections: 0 }]);
          // Tokens are refused until the list has been read.
          await until('the list to be read', async () => {
            const client = await node.connect({ encoding: 'json' });
            return (await client.ask({ type: 'connect', token: await tokenOf(GRANTS) })).type === 'connected';
          });
          expect(node.log.join('\n')).not.toContain('denies');
        } finally {
          await node.stop();
        }
      }
    } finally {
      await server.reload(ROLES);
    }
  });

  it('a producer publishes, with and without acknowledgement, and may read nothing', async () => {
    const ack = await producer.request('feed.scores.b', '1', { timeout: 5000 });
    expect(ack.json()).toMatchObject({ stream: 'stentor-scores' });
    producer.publish('feed.user.b', '1');
    const denied = new Promise((resolve) => producer.subscribe('feed.>', { callback: (error) => resolve(error?.message) }));
    expect(await denied).toMatch(/Permissions Violation/);
  });

  it.each(permissionsOf('NODE'))('the node names $right of $subject when it lacks that', async ({ right, subject }) => {
    const roles = rolesWithout('NODE', right, subject);
    // An answer to a request of flow control is also an answer: only the requests of a stalled consumer are none.
    await server.reload(subject.startsWith('$JS.FC.') ? roles.replace('allow_responses = true', '') : roles);
    // The bucket in memory is made again only when it has gone with the server.
    if (subject.includes('STREAM.CREATE')) await server.restart();
    const named = `the user needs "${subject}" in permissions.${right}`;
    const node = await start().catch((error: Error & { code?: string }) => error);
    try {
      if (node instanceof Error) {
        expect(node).toMatchObject({ code: 'permission_denied', message: expect.stringContaining(named) });
        return;
      }
      const answers = await use(node);
      // Nothing of NATS is any client's business.
      expect(Object.values(answers).join()).not.toMatch(/feed\.|\$JS|_INBOX|rpc\./);
      for (let i = 0; i < BURST.count; i++) producer.publish('feed.scores.a', BURST_PAYLOAD);
      await producer.flush();
      await until(`${named} in the log`, () => node.log.some((line) => line.includes(JSON.stringify(named).slice(1, -1))));
    } finally {
      if (!(node instanceof Error)) await node.stop();
      await server.reload(ROLES);
    }
  });

  it('a topic that NATS denies is refused, and available as soon as it is permitted', async () => {
    await server.reload(rolesWithout('NODE', 'subscribe', 'feed.user.>'));
    const node = await start();
    try {
      const client = await asUser(node);
      const refused = await client.ask({ type: 'subscribe', topic: 'user.a' });
      expect(refused).toMatchObject({ type: 'error', code: 'unavailable', retryable: true });
      expect(JSON.stringify(refused)).not.toMatch(/feed\.|NATS/);
      await server.reload(ROLES);
      await until('to be permitted', async () => (await client.ask({ type: 'subscribe', topic: 'user.a' })).type === 'subscribed');
      producer.publish('feed.user.a', '1');
      await client.next('batch');
    } finally {
      await node.stop();
      await server.reload(ROLES);
    }
  });

  it('a topic that is denied later is reported to its subscribers, including new ones, and resumes by itself', async () => {
    const node = await start();
    try {
      const [json, msgpack] = await Promise.all([asUser(node), asUser(node, 'msgpack')]);
      const clients = [json, msgpack];
      for (const client of clients) await client.subscribe('user.a');
      await server.reload(rolesWithout('NODE', 'subscribe', 'feed.user.>'));
      for (const client of clients) {
        const told = await client.next('feed', ({ topic, live }) => topic === 'user.a' && !live);
        expect(told.reason).not.toMatch(/feed\.|NATS/);
      }
      const late = await asUser(node);
      await late.subscribe('user.a');
      await late.next('feed', ({ topic, live }) => topic === 'user.a' && !live);
      await server.reload(ROLES);
      for (const client of [...clients, late]) await client.next('feed', ({ topic, live }) => topic === 'user.a' && live);
      producer.publish('feed.user.a', '1');
      for (const client of [...clients, late]) await client.next('batch', ({ topic }) => topic === 'user.a');
    } finally {
      await node.stop();
      await server.reload(ROLES);
    }
  });

  it('a log that cannot be followed any more is reported to its subscribers, and resumes without a gap', async () => {
    const line = await TestProxy.start(server.port);
    const node = await start({ 'nats.url': `nats://127.0.0.1:${line.port}` });
    try {
      const client = await node.connect();
      const { offset } = await client.subscribe('scores.late');
      const tracker = client.track('scores.late');
      await server.reload(rolesWithout('NODE', 'publish', '$JS.API.CONSUMER.CREATE.stentor-scores.>'));
      // The consumer that there is goes on; a new one is not to be had.
      line.cut();
      await client.next('feed', ({ topic, live }) => topic === 'scores.late' && !live);
      await producer.request('feed.scores.late', '"missed"', { timeout: 5000 });
      await server.reload(ROLES);
      await client.next('feed', ({ topic, live }) => topic === 'scores.late' && live);
      await client.until('what was missed', () => tracker.items.some(({ data }) => data === 'missed'));
      expect(tracker).toMatchObject({ gaps: 0, duplicates: 0, resyncs: [] });
      expect(offset).toBeGreaterThan(0);
    } finally {
      await node.stop();
      await line.stop();
      await server.reload(ROLES);
    }
  });

  it('documents of a namespace need image.<namespace>.> for their images, and go on without', async () => {
    const feed = '"feed.scores.>"';
    const withImages = ROLES.replace(feed, `${feed}\n      "image.books"\n      "image.books.>"`).replaceAll('scores', 'books');
    const books = { namespaces: { books: { public: true, clientPublish: true, state: 'document' } }, 'tuning.hub.topicLingerMs': 0 };
    await server.reload(withImages);
    await setUpNats(busConfig(server.url, { ...books, ...roleSettings('SETUP') }), () => undefined);
    await server.reload(ROLES.replaceAll('scores', 'books'));
    const node = await start({ ...books, 'tuning.hub.imageIntervalMs': 300 });
    const outcome = (name: string) => ['stentor_document_images_total', (count: number) => count > 0, { outcome: name }] as const;
    try {
      const client = await asUser(node);
      const change = async () => {
        await client.subscribe('books.a');
        await client.get('published', { type: 'publish', topic: 'books.a', data: { a: Math.random() } });
        await client.get('published', { type: 'publish', topic: 'books.a', data: { b: Math.random() } });
        await client.get('unsubscribed', { type: 'unsubscribe', topic: 'books.a' });
      };
      await change();
      await node.untilMetric(...outcome('failed'));
      expect(node.log.some((line) => line.includes('the user needs \\"image.books.>\\" in permissions.publish'))).toBe(true);
      await server.reload(withImages);
      await until('an image', async () => {
        await change();
        return (await node.metric('stentor_document_images_total', { outcome: 'stored' })) > 0;
      });
    } finally {
      await node.stop();
      await server.reload(ROLES);
    }
  });
});
