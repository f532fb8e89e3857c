import { afterEach, describe, expect, it } from 'vitest';
import type { Encoding } from '../../src/protocol/codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  feed: { public: true, clientPublish: true },
  mine: {},
};
const nodes: TestNode[] = [];

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const subscribes = (count: number, from = 0) => range(count).map((i) => ({ type: 'subscribe', id: from + i, topic: `feed.t${from + i}` }));
const answers = (client: TestClient) => client.messages.filter((message): message is ServerMessage & { id: number } => 'id' in message);
const answered = (client: TestClient, count: number) => client.until(`${count} answers`, () => answers(client).length >= count);

describe.each<Encoding>(['json', 'msgpack'])('an array of commands, in %s,', (encoding) => {
  it('is answered command by command, a thousand of them', async () => {
    const node = await start();
    const client = await node.connect({ encoding });
    client.send(subscribes(1000));
    await answered(client, 1000);
    expect(answers(client).map(({ type }) => type)).toEqual(range(1000).map(() => 'subscribed'));
    expect(new Set(answers(client).map(({ id }) => id)).size).toBe(1000);
    for (const topic of ['feed.t0', 'feed.t999']) {
      client.track(topic);
      await node.publish(topic, { n: 1 });
      await client.until(`a publication on ${topic}`, () => client.track(topic).items.length === 1);
    }
  });

  it.each([
    ['10', 'one message', 1],
    ['120', 'as few as their names need', 3],
  ])('comes back to a thousand topics with names of %s characters in %s, and is answered so', async (length, _, messages) => {
    const node = await start();
    const names = range(1000).map(
      (i) =>
        `feed.${String(i)
          .padStart(Number(length) - 5, '0')
          .match(/.{1,60}/g)!
          .join('.')}`,
    );
    const before = await node.connect({ encoding });
    const each = Math.ceil(1000 / messages);
    const ids = range(messages).map((at) => range(1000).slice(at * each, (at + 1) * each));
    for (const some of ids) before.send({ type: 'subscribeMany', topics: some.map((id) => [id, names[id]]) });
    await answered(before, 1000);
    const positions = before.messages.flatMap((message) => (message.type === 'subscribed' ? [message] : []));
    const client = await node.connect({ encoding });
    const { epoch } = positions[0]!;
    const offsets = new Map(positions.map(({ id, offset }) => [id, offset]));
    for (const some of ids) client.send({ type: 'subscribeMany', epoch, topics: some.map((id) => [id, names[id], offsets.get(id)]) });
    await answered(client, 1000);
    expect(client.messages.map((message) => 'id' in message && message.id)).toEqual(range(1000));
    for (const { id, ...answer } of answers(client))
      expect(answer).toMatchObject({ type: 'subscribed', topic: names[id], epoch, recovered: true, items: [] });
    // Fewer where several messages came in one loop turn: their answers are collected together.
    expect(client.frameBytes.length).toBeLessThanOrEqual(messages);
    for (const bytes of client.frameBytes) expect(bytes).toBeLessThanOrEqual(131_072);
  });

  it('answers an invalid command with an error for that command only', async () => {
    const node = await start();
    const client = await node.connect({ encoding });
    client.send([
      { type: 'subscribe', id: 1, topic: 'feed.a' },
      { type: 'subscribe', id: 2, topic: 'nowhere.a' },
      { type: 'subscribe', id: 3 },
      { type: 'fly', id: 4 },
      [{ type: 'subscribe', id: 5, topic: 'feed.b' }],
      'subscribe',
      { type: 'ping', t: 7 },
      { type: 'history', id: 8, topic: 'feed.a' },
    ]);
    await client.next('history');
    const codes = client.messages.flatMap((message) => (message.type === 'error' ? [[message.id, message.code]] : []));
    expect(codes).toHaveLength(5);
    expect(codes).toEqual(
      expect.arrayContaining([
        [2, 'unknown_namespace'],
        [3, 'bad_message'],
        [4, 'unknown_type'],
        [undefined, 'bad_message'],
      ]),
    );
    expect(client.messages.filter(({ type }) => type === 'subscribed')).toHaveLength(1);
    expect(client.messages.filter(({ type }) => type === 'pong')).toHaveLength(1);
  });

  it('may begin with connect, whose token the following commands wait for', async () => {
    const node = await start();
    const client = await node.connect({ encoding });
    const token = await tokenOf({ subscribe: ['mine.>'] });
    client.send([{ type: 'connect', id: 1, token }, ...range(200).map((i) => ({ type: 'subscribe', id: 2 + i, topic: `mine.t${i}` }))]);
    await answered(client, 201);
    expect(answers(client)[0]).toMatchObject({ type: 'connected', id: 1, limits: { commandsMax: 1000, topicsMax: 1000 } });
    expect(
      answers(client)
        .slice(1)
        .every(({ type }) => type === 'subscribed'),
    ).toBe(true);
  });

  it('behind a token that is refused does nothing', async () => {
    const node = await start();
    const client = await node.connect({ encoding });
    client.send([
      { type: 'connect', id: 1, token: `${await tokenOf({})}x` },
      { type: 'subscribe', id: 2, topic: 'feed.a' },
    ]);
    expect((await client.closed).code).toBe(4001);
    expect(client.messages.map(({ type }) => type)).toEqual(['error']);
  });

  it.each([0, 1001])('of %d is refused whole', async (count) => {
    const node = await start();
    const client = await node.connect({ encoding });
    client.send(subscribes(count));
    expect(await client.next('error')).toMatchObject({ code: 'bad_message', message: expect.stringContaining('1 to 1000') });
    expect(client.messages).toHaveLength(1);
  });
});

describe('arrays of commands', () => {
  it('count as one message each, and their commands apart', async () => {
    const node = await start({
      'limits.messagesPerSecondMax': 1,
      'tuning.commands.commandsPerSecondMax': 10,
      'tuning.commands.errorsPerMinuteMax': 1,
    });
    const client = await node.connect({ encoding: 'json' });
    // All at once: time would pay for more.
    client.send(subscribes(20));
    client.send(subscribes(15, 20));
    client.send(subscribes(3, 40));
    await answered(client, 38);
    const ofIds = (from: number, to: number) => answers(client).filter(({ id }) => id >= from && id < to);
    expect(ofIds(0, 20).every(({ type }) => type === 'subscribed')).toBe(true);
    const refused = ofIds(20, 35).filter(({ type }) => type === 'error');
    expect(refused.length).toBeGreaterThan(10);
    expect(refused[0]).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number), retryable: true });
    // The third message within the second is one too many, and each of its commands is told.
    expect(ofIds(40, 43)).toMatchObject(range(3).map((i) => ({ type: 'error', code: 'rate_limited', id: 40 + i })));
  });

  it.each([
    ['commands', { 'tuning.commands.commandsPerSecondMax': 10 }],
    ['messages', { 'tuning.commands.commandsPerSecondMax': 10, 'limits.messagesPerSecondMax': 1 }],
  ])('are a flood when they go on after they were refused for two seconds: too many %s', async (_, settings) => {
    const node = await start(settings);
    const client = await node.connect({ encoding: 'json' });
    for (let i = 0; i < 100; i++) client.send(range(20).map((id) => ({ type: 'unsubscribe', id, topic: 'feed.a' })));
    expect(await client.closed).toMatchObject({ code: 4009, reason: 'more commands than allowed' });
    const answered = client.messages.length;
    expect(answered).toBeGreaterThanOrEqual(40);
    // A second of a slow machine pays for ten more.
    expect(answered).toBeLessThan(200);
    expect(await node.metric('stentor_floods_total')).toBe(1);
  });

  it('may subscribe and unsubscribe in pairs, hundreds of them: none counts as an error of the client', async () => {
    const node = await start({ 'tuning.commands.errorsPerMinuteMax': 5 });
    const client = await node.connect({ encoding: 'json' });
    const pairs = range(400).flatMap((i) => [
      { type: 'subscribe', id: 2 * i, topic: `feed.t${i}` },
      { type: 'unsubscribe', id: 2 * i + 1, topic: `feed.t${i}` },
    ]);
    client.send(pairs);
    await answered(client, 800);
    for (const answer of answers(client)) {
      if (answer.type === 'error') expect(answer.code).toBe('not_subscribed');
      else expect(['subscribed', 'unsubscribed']).toContain(answer.type);
    }
    await client.subscribe('feed.still-here');
  });

  it('are not parsed further when their connection has been closed for errors', async () => {
    const node = await start({ 'tuning.commands.errorsPerMinuteMax': 60 });
    const client = await node.connect({ encoding: 'json' });
    client.send(range(1000).map((id) => (id < 900 ? { type: 'subscribe', id } : { type: 'publish', id, topic: 'feed.a', data: 1 })));
    expect((await client.closed).code).toBe(4009);
    expect(client.messages).toHaveLength(61);
    expect(await node.metric('stentor_errors_total', { code: 'bad_message' })).toBe(61);
    expect(await node.metric('stentor_messages_in_total', { type: 'publish' })).toBe(0);
  });

  it('wait their turn if the loop has no time for them, and close a client that has sent far more', async () => {
    const node = await start({ 'tuning.commands.commandsPerSecondMax': 1_000_000, 'tuning.commands.unreadBytesPerConnectionMax': 4096 });
    const client = await node.connect({ encoding: 'json' });
    for (let i = 0; i < 20; i++) client.send(range(1000).map((id) => ({ type: 'unsubscribe', id, topic: 'feed.a' })));
    expect(await client.closed).toMatchObject({ code: 4102, reason: 'more commands than are read in turn' });
    await node.untilMetric('stentor_unread_bytes', (bytes) => bytes === 0);
    await node.untilMetric('stentor_command_bytes_in_flight', (bytes) => bytes === 0);
  });

  it('of many connections are all answered, in order for each, though they come faster than they are read', async () => {
    const node = await start({
      'tuning.commands.commandsPerSecondMax': 1_000_000,
      'tuning.commands.unreadBytesPerConnectionMax': 10_000_000,
    });
    const clients = await Promise.all(range(10).map(() => node.connect({ encoding: 'msgpack' })));
    for (const round of range(10)) {
      for (const client of clients) {
        const type = round % 2 === 0 ? 'subscribe' : 'unsubscribe';
        client.send(range(300).map((i) => ({ type, id: round * 300 + i, topic: `feed.t${i}` })));
        client.send({ type: 'history', id: 10_000 + round, topic: 'feed.a' });
      }
    }
    await Promise.all(clients.map((client) => answered(client, 3010)));
    for (const client of clients) {
      expect(new Set(answers(client).map(({ id }) => id)).size).toBe(3010);
      // An unsubscribe that came too early would not have been subscribed.
      expect(answers(client).filter((message) => message.type === 'error' && message.id % 600 >= 300)).toEqual([]);
    }
  });

  it('are limited while unanswered, like commands that are sent alone', async () => {
    const node = await start({ 'tuning.commands.commandsPerConnectionMax': 5 });
    const client = await node.connect({ encoding: 'json' });
    client.send(subscribes(8));
    await answered(client, 8);
    const codes = answers(client).map((message) => (message.type === 'error' ? message.code : message.type));
    expect(codes.filter((code) => code === 'subscribed')).toHaveLength(5);
    expect(codes.filter((code) => code === 'busy')).toHaveLength(3);
  });

  it("never send a batch before the answer that has the topic's position", async () => {
    const node = await start();
    const topics = range(100).map((i) => `feed.t${i}`);
    let running = true;
    const feeding = (async () => {
      for (let n = 0; running; n++) {
        await Promise.all(topics.map((topic) => node.publish(topic, { n })));
        // The memory bus answers in microtasks: without this pause no other connection would get a turn.
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 10; round++) {
      const client = await node.connect({ encoding: 'msgpack' });
      for (const topic of topics) client.track(topic);
      client.send(subscribes(100));
      await client.until('items of every topic', () => topics.every((topic) => client.track(topic).items.length > 2));
      const seen = new Set<string>();
      for (const message of client.messages) {
        if (message.type === 'subscribed') seen.add(message.topic);
        if (message.type === 'batch') expect(seen.has(message.topic)).toBe(true);
      }
      for (const topic of topics) expect(client.track(topic)).toMatchObject({ gaps: 0, duplicates: 0 });
      await client.close();
    }
    running = false;
    await feeding;
  });

  it('recover topics with more missed than fits into one part: each answer before its batches, and those in order', async () => {
    const node = await start();
    const topics = range(10).map((i) => `feed.t${i}`);
    const before = await node.connect({ encoding: 'json' });
    const positions: { readonly epoch: string; readonly offset: number }[] = [];
    for (const topic of topics) {
      const { epoch, offset } = await before.subscribe(topic);
      positions.push({ epoch, offset });
    }
    for (let n = 0; n < 150; n++) await Promise.all(topics.map((topic) => node.publish(topic, { n, pad: 'x'.repeat(200) })));
    const client = await node.connect({ encoding: 'json' });
    client.send(topics.map((topic, id) => ({ type: 'subscribe', id, topic, since: positions[id] })));
    const items = new Map(topics.map((topic) => [topic, 0]));
    await client.until('everything that was missed', () => {
      for (const topic of topics) items.set(topic, 0);
      for (const message of client.messages) {
        if (message.type !== 'batch' && message.type !== 'subscribed') continue;
        items.set(message.topic, (items.get(message.topic) ?? 0) + (message.items ?? []).length);
      }
      return [...items.values()].every((count) => count >= 150);
    });
    for (const topic of topics) {
      let at: number | undefined;
      for (const message of client.messages) {
        if (message.type === 'subscribed' && message.topic === topic) at = message.offset;
        if (message.type !== 'batch' || message.topic !== topic) continue;
        expect([topic, message.prev]).toEqual([topic, at]);
        at = message.items.at(-1)?.[0];
      }
    }
  });

  it('end with their connection', async () => {
    const node = await start();
    const client = await node.connect({ encoding: 'json' });
    client.send(subscribes(1000));
    client.socket.terminate();
    await node.untilMetric('stentor_connections', (connections) => connections === 0);
    const other = await node.connect({ encoding: 'json' });
    other.send(subscribes(10));
    await answered(other, 10);
  });

  it.each([
    ['history', range(600).map((id) => ({ type: 'history', id, topic: 'feed.a', last: 100 }))],
    ['since', range(600).map((id) => ({ type: 'subscribe', id, topic: `feed.t${id}`, since: { epoch: 'x', offset: 1 } }))],
  ])('leave nothing counted when their connection is cut while answers wait for it: %s', async (_, commands) => {
    const node = await start({ 'tuning.fanout.lagThresholdBytes': 4096 });
    await node.publish('feed.a', { text: 'x'.repeat(10_000) });
    for (let round = 0; round < 3; round++) {
      const client = await node.connect({ encoding: 'json' });
      client.socket.pause();
      for (let i = 0; i < 3; i++) client.send(commands);
      client.socket.terminate();
    }
    await node.untilMetric('stentor_connections', (connections) => connections === 0);
    await node.untilMetric('stentor_command_bytes_in_flight', (bytes) => bytes === 0);
  });
});
