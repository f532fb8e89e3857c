import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Encoding } from '../../src/protocol/codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { runCli } from '../cli/run-cli.ts';
import type { TestNode } from '../support/node.ts';
import { NodePair } from '../support/node-pair.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const ENCODINGS: readonly Encoding[] = ['json', 'msgpack'];
const NAMESPACES = {
  chat: { clientPublish: true },
  board: { clientPublish: true, state: 'keyed' },
  live: { clientPublish: true, durable: false, public: true },
  cursors: { clientPublish: true, durable: false, state: 'keyed', public: true },
  user: { durable: false, clientPublish: true },
};

let pair: NodePair;
beforeAll(async () => {
  pair = await NodePair.start({ namespaces: NAMESPACES, 'heartbeat.pingIntervalMs': 600_000 });
});
afterAll(() => pair?.stop());

/** The values of a topic that the client was sent, in order. */
function valuesOf({ messages }: TestClient, topic: string): unknown[] {
  return messages
    .filter((message): message is ServerMessage<'batch'> => message.type === 'batch' && message.topic === topic)
    .flatMap(({ items }) => items.flatMap((item) => (item.length === 1 ? [] : [item[2]])));
}

let nextTopic = 1;
/** Ann on the first node, with another connection on the second; bob on the second. All are subscribed. */
async function room(namespace: string, encoding: Encoding) {
  const topic = `${namespace}.r${nextTopic++}`;
  const ann = await pair.client(pair.one, 'ann', encoding);
  const other = await pair.client(pair.two, 'ann', encoding);
  const bob = await pair.client(pair.two, 'bob', encoding);
  for (const { client } of [ann, other, bob]) await client.subscribe(topic);
  /** Everybody has what was published before, and this last. */
  const end = async () => {
    await pair.post(pair.one, '/api/publish', { topic, data: 'end' });
    for (const { client } of [ann, other, bob]) await client.until('the end', () => valuesOf(client, topic).includes('end'));
    return [ann, other, bob].map(({ client }) => valuesOf(client, topic).slice(0, -1));
  };
  return { topic, ann, other, bob, end };
}

describe.each(ENCODINGS)('to all but the sender (%s)', (encoding) => {
  it.each(['chat', 'live'])('leaves the publishing connection out by a choice of the publish, on all nodes, in %s', async (namespace) => {
    const { topic, ann, end } = await room(namespace, encoding);
    await ann.client.get('published', { type: 'publish', topic, data: 'to all' });
    await ann.client.get('published', { type: 'publish', topic, data: 'to others', echo: false });
    await ann.client.get('published', { type: 'publish', topic, data: 'to all again', echo: true });
    expect(await end()).toEqual([
      ['to all', 'to all again'],
      ['to all', 'to others', 'to all again'],
      ['to all', 'to others', 'to all again'],
    ]);
  });

  it('covers the place of what is left out in a durable topic', async () => {
    const { topic, ann, end } = await room('chat', encoding);
    const tracker = ann.client.track(topic);
    for (const data of [1, 2, 3]) await ann.client.get('published', { type: 'publish', topic, data, echo: data === 2 });
    expect((await end())[0]).toEqual([2]);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
  });

  it('leaves out the connection that a program, or an operator, names', async () => {
    const { topic, ann, bob, end } = await room('live', encoding);
    await pair.post(pair.two, '/api/publish', { topic, data: 'http', exceptConnection: ann.connectionId });
    const named = headers();
    named.set('Stentor-Connection', bob.connectionId);
    named.set('Stentor-Echo', 'false');
    pair.program.publish(`feed.${topic}`, '"nats"', { headers: named });
    await pair.program.flush();
    await pair.one.running.publish({ topic, data: 'embedded', exceptConnection: bob.connectionId });
    const { stdout, stderr } = await runCli([
      'publish',
      topic,
      '"cli"',
      '--except',
      ann.connectionId,
      '--nats-url',
      pair.nats.url,
      '--set',
      'namespaces.live.durable=false',
    ]);
    expect(stdout, stderr).toContain('"ephemeral":true');
    const [toAnn, toOther, toBob] = await end();
    expect(new Set(toOther)).toEqual(new Set(['http', 'nats', 'embedded', 'cli']));
    expect(new Set(toAnn)).toEqual(new Set(['nats', 'embedded']));
    expect(new Set(toBob)).toEqual(new Set(['http', 'cli']));
    for (const { messages } of [ann.client, bob.client]) expect(JSON.stringify(messages)).not.toContain('origin');
  });

  it('leaves it out in a rate class too', async () => {
    const topic = `board.r${nextTopic++}`;
    const ann = await pair.client(pair.one, 'ann', encoding);
    await ann.client.subscribe(topic, { maxRateHz: 20 });
    for (const [key, echo] of [
      ['A', false],
      ['B', true],
      ['C', false],
    ] as const) {
      await ann.client.get('published', { type: 'publish', topic, key, data: key, echo });
    }
    await pair.post(pair.one, '/api/publish', { topic, key: 'D', data: 'D' });
    await ann.client.until('the last', () => valuesOf(ann.client, topic).includes('D'));
    expect(valuesOf(ann.client, topic)).toEqual(['B', 'D']);
  });
});

describe('volatile', () => {
  it.each(ENCODINGS)('reaches subscribers on all nodes, and is not kept (%s)', async (encoding) => {
    const topic = `cursors.r${nextTopic++}`;
    const [ann, bob] = [await pair.client(pair.one, 'ann', encoding), await pair.client(pair.two, 'bob', encoding)];
    for (const { client } of [ann, bob]) await client.subscribe(topic);
    await ann.client.get('published', { type: 'publish', topic, key: 'k', data: 'kept' });
    await ann.client.get('published', { type: 'publish', topic, key: 'k', data: 'ws', volatile: true });
    expect((await pair.post(pair.one, '/api/publish', { topic, key: 'k', data: 'http', volatile: true })).status).toBe(200);
    await pair.one.running.publish({ topic, key: 'k', data: 'embedded', volatile: true });
    const how = headers();
    how.set('Stentor-Volatile', 'true');
    pair.program.publish(`feed.${topic}.k`, '"nats"', { headers: how });
    const { code, stderr } = await runCli([
      ...['publish', topic, '"cli"', '--key', 'k', '--volatile', '--nats-url', pair.nats.url],
      ...['--set', 'namespaces.cursors.durable=false', '--set', 'namespaces.cursors.state=keyed'],
    ]);
    expect(code, stderr).toBe(0);
    for (const { client } of [ann, bob]) {
      await client.until('all', () => valuesOf(client, topic).length === 6);
      expect(new Set(valuesOf(client, topic))).toEqual(new Set(['kept', 'ws', 'http', 'embedded', 'nats', 'cli']));
    }
    for (const node of pair.both) {
      const late = await pair.client(node, 'eve', encoding);
      const { items } = await late.client.subscribe(topic, { snapshot: true });
      expect(items.map(([, key, data]) => [key, data])).toEqual([['k', 'kept']]);
    }
  });

  it('is refused in a durable namespace at every door', async () => {
    const ann = await pair.client(pair.one, 'ann', 'json');
    const publication = { topic: 'chat.a', data: 1, volatile: true };
    expect(await ann.client.ask({ type: 'publish', ...publication })).toMatchObject({ type: 'error', code: 'unsupported' });
    expect(await pair.post(pair.one, '/api/publish', publication)).toMatchObject({ status: 404, body: { error: { code: 'unsupported' } } });
    await expect(pair.one.running.publish(publication)).rejects.toMatchObject({ code: 'unsupported' });
    const { code, stderr } = await runCli(['publish', 'chat.a', '1', '--volatile', '--nats-url', pair.nats.url]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('unsupported')]);
  });

  it.each(ENCODINGS)('is dropped for a subscriber that does not keep up, which gets the rest (%s)', async (encoding) => {
    const topic = `live.r${nextTopic++}`;
    const [slow, fast] = [await pair.client(pair.two, 'slow', encoding), await pair.client(pair.two, 'fast', encoding)];
    for (const { client } of [slow, fast]) await client.subscribe(topic);
    const padding = 'x'.repeat(8000);
    const publish = (data: unknown, volatile?: true) => pair.one.running.publish({ topic, data, ...(volatile && { volatile }) });
    slow.client.pause();
    const lagged = () => pair.two.metric('stentor_connections_lagged_total');
    const before = await lagged();
    while ((await lagged()) === before) for (let i = 0; i < 50; i++) await publish({ padding });
    for (let n = 0; n < 5; n++) {
      await publish({ volatile: n }, true);
      await publish({ plain: n });
    }
    await fast.client.until('everything', () => valuesOf(fast.client, topic).some((value) => (value as { plain?: number }).plain === 4));
    slow.client.resume();
    const plain = ({ client }: typeof slow) => valuesOf(client, topic).filter((value) => 'plain' in (value as object));
    await slow.client.until('the rest', () => plain(slow).length === 5);
    await slow.client.next('lagged');
    const volatile = ({ client }: typeof slow) => valuesOf(client, topic).filter((value) => 'volatile' in (value as object));
    expect([volatile(fast).length, volatile(slow)]).toEqual([5, []]);
  });
});

describe.each(ENCODINGS)('to one user (%s)', (encoding) => {
  it('reaches all connections of the user that follow their topic, on all nodes, from every door', async () => {
    const user = `ann_${encoding}@example.org`;
    const topic = `user.ann_${encoding}__aexample__dorg`;
    const both = await Promise.all(pair.both.map((node) => pair.client(node, user, encoding)));
    const eve = await pair.one.connect({ encoding, token: await tokenOf({ sub: 'eve', publish: ['user.*'] }) });
    const mallory = await pair.one.connect({ encoding, token: await tokenOf({ sub: 'mallory', publish: ['>'] }) });
    for (const { client } of both) await client.subscribe(topic);
    await eve.subscribe('user.eve');
    await eve.get('published', { type: 'publish', topic, data: 'ws' });
    expect(await mallory.get('error', { type: 'publish', topic, data: 'forged' })).toMatchObject({ code: 'forbidden' });
    expect((await pair.post(pair.two, '/api/publish', { user, data: 'http' })).status).toBe(200);
    pair.program.publish(`feed.${topic}`, '"nats"');
    const { code, stderr } = await runCli(['publish', '--user', user, '"cli"', '--nats-url', pair.nats.url]);
    expect(code, stderr).toBe(0);
    for (const { client } of both) {
      await client.until('all', () => valuesOf(client, topic).length === 4);
      expect(new Set(valuesOf(client, topic))).toEqual(new Set(['ws', 'http', 'nats', 'cli']));
    }
    await eve.settle();
    expect(eve.messages.filter(({ type }) => type === 'batch')).toEqual([]);
  });

  it('is refused where the user has no topic', async () => {
    const codeOf = async (body: object) => (await pair.post(pair.one, '/api/publish', { data: 1, ...body })).body.error?.code;
    expect(await codeOf({ user: 'x'.repeat(65) })).toBe('bad_topic');
    expect(await codeOf({})).toBe('bad_message');
    expect(await codeOf({ user: 'ann', topic: 'chat.a' })).toBe('bad_message');
    const { code, stderr } = await runCli(['publish', '--user', 'ann', 'chat.a', '1']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('usage')]);
  });
});

it('and the other ways to send are the rows of the guide', () => {
  const guide = readFileSync(resolve(import.meta.dirname, '../../src/bus/PUBLISHING.md'), 'utf8');
  const [, table = ''] = /\| way \| SDK [^\n]*\n\|[^\n]*\n((?:\|[^\n]*\n)+)/.exec(guide) ?? [];
  const rows = table
    .trim()
    .split('\n')
    .map((row) => row.split(/(?<!\\)\|/).map((cell) => cell.trim()));
  // A new row needs a test here, or in sending-connections.test.ts.
  expect(rows.map(([, way]) => way)).toEqual([
    'to a topic',
    'with an ack from the log',
    'to all but the sender',
    'to one user',
    'to one connection',
    'to every connection of a namespace',
    'volatile',
    'with acks from the receivers',
    'many in one message',
  ]);
  for (const row of rows)
    expect(
      row.slice(1, -1).filter((cell) => cell === ''),
      row[1],
    ).toEqual([]);
});

async function manyOf(node: TestNode, encoding: Encoding) {
  const topic = `chat.r${nextTopic++}`;
  return { topic, ...(await pair.client(node, 'ann', encoding)) };
}

it.each(ENCODINGS)('many publications in one message are answered one by one, in %s', async (encoding) => {
  const { topic, client } = await manyOf(pair.one, encoding);
  const reader = await pair.client(pair.two, 'bob', encoding);
  await reader.client.subscribe(topic);
  const commands = Array.from({ length: 50 }, (_, id) => ({
    type: 'publish',
    id,
    topic: id === 7 ? 'nowhere.a' : topic,
    data: id,
  }));
  client.send(commands);
  const answers = new Map<number, string>();
  for (const { id } of commands) {
    const answer = await client.next(id === 7 ? 'error' : 'published', (message) => message.id === id);
    answers.set(id, answer.type === 'error' ? answer.code : answer.type);
  }
  expect([...answers.values()].filter((answer) => answer === 'published')).toHaveLength(49);
  expect(answers.get(7)).toBe('unknown_namespace');
  await reader.client.until('all', () => valuesOf(reader.client, topic).length === 49);
  expect(valuesOf(reader.client, topic)).toEqual(commands.map(({ data }) => data).filter((data) => data !== 7));
});
