import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { messageId } from '../../src/bus/message-id.ts';
import type { Item, ServerMessage } from '../../src/protocol/messages.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const SECRETS = ['the-secret-of-all-nodes-of-this-test', 'the-secret-before-that-one-was-made'];
const NAMESPACES = {
  chat: { public: true, clientPublish: true },
  live: { public: true, clientPublish: true, durable: false },
};
const TOPICS = ['chat.room', 'live.room'];

let server: NatsServer;
let producer: NatsConnection;
const nodes: TestNode[] = [];

beforeAll(async () => {
  server = await startNatsServer();
  producer = await connect({ servers: server.url });
});
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});
afterAll(async () => {
  await producer?.close();
  await server?.stop();
});

async function start(originSecrets: readonly string[]): Promise<TestNode> {
  const node = await TestNode.start({ 'nats.url': server.url, namespaces: NAMESPACES, 'nats.originSecrets': originSecrets });
  nodes.push(node);
  return node;
}

/** Subscribed to all topics. */
async function user(node: TestNode, sub: string): Promise<TestClient> {
  const client = await node.connect({ encoding: 'json', token: await tokenOf({ sub, publish: ['>'] }) });
  await client.next('connected');
  for (const topic of TOPICS) await client.subscribe(topic);
  return client;
}

/** Who published it, as the client is told. */
async function publisherOf(client: TestClient, data: unknown): Promise<string | undefined> {
  const has = (item: Item) => item[2] === data;
  const batch = await client.next('batch', ({ items }) => items.some(has));
  return batch.items.find(has)?.[3]?.origin;
}

function forge(topic: string, data: unknown, signature?: string): void {
  const all = headers();
  all.set('Stentor-User', 'ana');
  all.set('Stentor-Connection', 'c.1');
  if (signature !== undefined) all.set('Stentor-Signature', signature);
  producer.publish(`feed.${topic}`, JSON.stringify(data), { headers: all });
}

/** Makes the log take the id of a client's next publish for one that it has. */
async function squat(topic: string, sub: string, key: string, secret?: string): Promise<void> {
  const all = headers();
  all.set('Nats-Msg-Id', messageId(parseTopic(topic), sub, key, secret));
  await producer.request(`feed.${topic}`, '"squatted"', { headers: all, timeout: 5000 });
}

describe('without nats.originSecrets', () => {
  it('a producer is believed to be whom it says, and may take the id of a client’s publish', async () => {
    const client = await user(await start([]), 'ben');
    for (const topic of TOPICS) {
      forge(topic, `forged ${topic}`);
      expect(await publisherOf(client, `forged ${topic}`)).toBe('ana');
    }
    await squat('chat.room', 'ben', 'k-open');
    expect(await client.ask({ type: 'publish', topic: 'chat.room', data: 1, idempotencyKey: 'k-open' })).toMatchObject({ duplicate: true });
  });
});

describe('with nats.originSecrets', () => {
  it('the user of a publication is told by nodes only, of durable and ephemeral topics', async () => {
    const [one, two] = [await start(SECRETS), await start([...SECRETS].reverse())];
    const [ben, eve] = [await user(one, 'ben'), await user(two, 'eve')];
    for (const topic of TOPICS) {
      for (const signature of [undefined, '', 'AAAAAAAAAAAAAAAAAAAAAA', 'x'.repeat(500)]) {
        const data = `forged ${topic} ${signature}`;
        forge(topic, data, signature);
        for (const client of [ben, eve]) expect(await publisherOf(client, data), data).toBeUndefined();
      }
      await ben.get('published', { type: 'publish', topic, data: `of ben ${topic}` });
      for (const client of [ben, eve]) expect(await publisherOf(client, `of ben ${topic}`)).toBe('ben');
      // With the older secret, which its node still signs with.
      await eve.get('published', { type: 'publish', topic, data: `of eve ${topic}` });
      for (const client of [ben, eve]) expect(await publisherOf(client, `of eve ${topic}`)).toBe('eve');
    }
    const { items } = await ben.get('history', { type: 'history', topic: 'chat.room', last: 20 });
    expect(items.map(([, , data, meta]) => [data, meta?.origin]).filter(([data]) => String(data).startsWith('forged chat.room '))).toEqual(
      expect.arrayContaining([['forged chat.room undefined', undefined]]),
    );
    expect(await one.metric('stentor_origins_forged_total')).toBe(8);
  });

  it('a signature is worth nothing with another text, user or topic', async () => {
    const node = await start(SECRETS);
    const ben = await user(node, 'ben');
    const seen: { signature: string; user: string; connection: string }[] = [];
    const spy = producer.subscribe('feed.live.room', {
      callback: (_, { headers: all }) => {
        if (all?.has('Stentor-Signature') !== true) return;
        seen.push({ signature: all.get('Stentor-Signature'), user: all.get('Stentor-User'), connection: all.get('Stentor-Connection') });
      },
    });
    await producer.flush();
    await ben.get('published', { type: 'publish', topic: 'live.room', data: 'mine' });
    expect(await publisherOf(ben, 'mine')).toBe('ben');
    const [{ signature, connection }] = seen as [(typeof seen)[0]];
    const replay = (topic: string, data: string, as: string) => {
      const all = headers();
      all.set('Stentor-User', as);
      all.set('Stentor-Connection', connection);
      all.set('Stentor-Signature', signature);
      producer.publish(`feed.${topic}`, JSON.stringify(data), { headers: all });
    };
    replay('live.room', 'not mine', 'ben');
    expect(await publisherOf(ben, 'not mine')).toBeUndefined();
    replay('chat.room', 'mine', 'ben');
    expect(await publisherOf(ben, 'mine')).toBeUndefined();
    replay('live.room', 'mine', 'eve');
    expect(await publisherOf(ben, 'mine')).toBeUndefined();
    spy.unsubscribe();
  });

  it('a service can still leave out one connection, because that names no user', async () => {
    const node = await start(SECRETS);
    const [ben, eve] = [await user(node, 'ben'), await user(node, 'eve')];
    const { connectionId } = ben.messages.find(({ type }) => type === 'connected') as ServerMessage<'connected'>;
    const all = headers();
    all.set('Stentor-Connection', encodeURIComponent(connectionId));
    all.set('Stentor-Echo', 'false');
    for (const topic of TOPICS) {
      producer.publish(`feed.${topic}`, '"not to ben"', { headers: all });
      producer.publish(`feed.${topic}`, '"to all"');
      expect(await publisherOf(eve, 'not to ben')).toBeUndefined();
      expect(await publisherOf(ben, 'to all')).toBeUndefined();
    }
    expect(JSON.stringify(ben.messages)).not.toContain('not to ben');
  });

  it('nobody else can take the id of a client’s publish, and a client’s own repetition is still a duplicate, on any node', async () => {
    const [one, two] = [await start(SECRETS), await start(SECRETS)];
    const [ben, again] = [await user(one, 'ben'), await user(two, 'ben')];
    await squat('chat.room', 'ben', 'k-signed');
    await squat('chat.room', 'ben', 'k-signed', 'a-guess-at-the-secret-of-all-nodes');
    const publish = { type: 'publish', topic: 'chat.room', data: 'stored', idempotencyKey: 'k-signed' } as const;
    const first = await ben.get('published', publish);
    expect(first.duplicate).not.toBe(true);
    expect(await again.get('published', publish)).toMatchObject({ offset: first.offset, duplicate: true });
  });
});

describe('the secrets', () => {
  it('are long, and never shown', async () => {
    await expect(start(['short'])).rejects.toThrow('nats.originSecrets');
    const node = await start(SECRETS);
    expect(node.log.join('')).not.toContain(SECRETS[0]);
  });
});
