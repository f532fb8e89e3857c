import { afterEach, describe, expect, it } from 'vitest';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const FRAME_BYTES_MAX = 16 * 1024;
const nodes: TestNode[] = [];

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const history = { maxCount: 100_000 };
  const node = await TestNode.start({
    namespaces: {
      scores: { public: true, history },
      ticks: { public: true, state: 'keyed', history },
      few: { public: true, history: { ...history, clientItemsMax: 5 } },
      none: { public: true, history: { ...history, clientItemsMax: 0 } },
      chat: { public: true, clientPublish: true },
      closed: { history },
    },
    'limits.messagesPerSecondMax': 10_000,
    'heartbeat.pingIntervalMs': 600_000,
    ...settings,
  });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function publish(node: TestNode, topic: string, count: number, bytes = 200): Promise<void> {
  for (let n = 1; n <= count; n++) await node.publish(topic, { n, pad: 'x'.repeat(bytes) });
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const numbersOf = (items: ServerMessage<'history'>['items']) => items.map(([, , data]) => (data as { n: number }).n);
const partsOf = (client: TestClient, id: number) =>
  client.messages.filter((message): message is ServerMessage<'history'> => message.type === 'history' && message.id === id);

async function answer(client: TestClient, question: object, id = 7): Promise<ServerMessage<'history'>[]> {
  client.send({ type: 'history', id, ...question });
  await client.until('the last part', () => partsOf(client, id).at(-1)?.continues === undefined && partsOf(client, id).length > 0);
  return partsOf(client, id);
}

describe('a large answer to history', () => {
  it.each(['msgpack', 'json'] as const)('comes in parts of the usual frame size, in order, in %s', async (encoding) => {
    const node = await start();
    await publish(node, 'scores.a', 2000);
    const client = await node.connect({ encoding, socket: { maxPayload: FRAME_BYTES_MAX } });
    const { epoch } = await client.subscribe('scores.b');
    for (const question of [{ since: { epoch, offset: 0 }, limit: 2000 }, { last: 2000 }, { since: { epoch, offset: 500 }, limit: 1000 }]) {
      const parts = await answer(client, { topic: 'scores.a', ...question }, 100 + client.messages.length);
      const first = 'last' in question ? 1 : question.since.offset + 1;
      const last = 'last' in question ? 2000 : question.since.offset + question.limit;
      expect(parts.length).toBeGreaterThan(10);
      expect(numbersOf(parts.flatMap(({ items }) => items))).toEqual(numbers(first, last));
      for (const { offset, items, complete, more, continues } of parts.slice(0, -1)) {
        expect({ offset, complete, more, continues }).toEqual({ offset: items.at(-1)?.[0], complete: true, more: true, continues: true });
      }
      expect(parts.at(-1)).toMatchObject({ offset: last, complete: true, more: last < 2000 });
      expect(parts.at(-1)).not.toHaveProperty('continues');
    }
  });

  it('is the same if the topic is open, from what the node has of it', async () => {
    const node = await start();
    const client = await node.connect({ encoding: 'msgpack' });
    const { epoch } = await client.subscribe('scores.a');
    await publish(node, 'scores.a', 1000);
    for (const question of [{ since: { epoch, offset: 0 }, limit: 1000 }, { last: 1000 }]) {
      const parts = await answer(client, { topic: 'scores.a', ...question }, 100 + client.messages.length);
      expect(numbersOf(parts.flatMap(({ items }) => items))).toEqual(numbers(1, 1000));
    }
    expect(await node.metric('stentor_log_reads_total', { kind: 'history' })).toBe(0);
  });

  it('can be asked on from each of its parts', async () => {
    const node = await start();
    await publish(node, 'scores.a', 500);
    const client = await node.connect({ encoding: 'msgpack' });
    const { epoch } = await client.subscribe('scores.b');
    const parts = await answer(client, { topic: 'scores.a', since: { epoch, offset: 0 }, limit: 500 });
    for (const { offset } of parts) {
      const rest = await client.get('history', { type: 'history', topic: 'scores.a', since: { epoch, offset }, limit: 500 });
      expect(numbersOf(rest.items)).toEqual(numbers(offset + 1, 500));
    }
  });

  it('reads the log a few times only, not for each page', async () => {
    const node = await start();
    await publish(node, 'scores.a', 5000);
    for (let n = 0; n < 2000; n++) await node.publish('ticks.a', { n, pad: 'x'.repeat(300) }, { key: `k${n}` });
    const client = await node.connect({ encoding: 'msgpack' });
    const { epoch } = await client.get('history', { type: 'history', topic: 'ticks.b' });
    const reads = () => node.metric('stentor_log_reads_total');
    const before = await reads();
    expect(await answer(client, { topic: 'scores.a', last: 5000 }, 1)).not.toHaveLength(1);
    expect(await reads()).toBe(before + 1);
    const state = await answer(client, { topic: 'ticks.a', since: { epoch, offset: 0 }, limit: 2000 }, 2);
    expect(numbersOf(state.flatMap(({ items }) => items))).toEqual(numbers(0, 1999));
    expect(await reads()).toBe(before + 2);
  });

  it('of the last publications is read once for all requests, until something is published', async () => {
    const node = await start();
    await publish(node, 'scores.a', 1000);
    const client = await node.connect({ encoding: 'msgpack' });
    const last = async (count: number) =>
      numbersOf((await client.get('history', { type: 'history', topic: 'scores.a', last: count })).items);
    const reads = () => node.metric('stentor_log_reads_total', { kind: 'last' });
    for (const count of [500, 500, 20]) expect(await last(count)).toEqual(numbers(1001 - count, 1000));
    expect(await reads()).toBe(1);
    await node.publish('scores.a', { n: 1001 });
    expect(await last(20)).toEqual(numbers(982, 1001));
    expect(await last(600)).toEqual(numbers(402, 1001));
    expect(await reads()).toBe(3);
  });

  it('ends with `more` after historyBytesMax; of the last publications it is the newest', async () => {
    const node = await start({ 'tuning.answers.historyBytesMax': 65_536 });
    await publish(node, 'scores.a', 300, 1000);
    const client = await node.connect({ encoding: 'msgpack' });
    const { epoch } = await client.subscribe('scores.b');
    const forwards = await client.get('history', { type: 'history', topic: 'scores.a', since: { epoch, offset: 0 }, limit: 300 });
    expect(forwards).toMatchObject({ more: true, complete: true, offset: forwards.items.length });
    expect(forwards.items.length).toBeGreaterThan(55);
    expect(forwards.items.length).toBeLessThan(70);
    const last = await client.get('history', { type: 'history', topic: 'scores.a', last: 300 });
    expect(last).toMatchObject({ more: false, complete: true, offset: 300 });
    expect(numbersOf(last.items)).toEqual(numbers(301 - last.items.length, 300));
    expect(last.items.length).toBeGreaterThan(55);
  });

  it('lets a publish be answered between its parts', async () => {
    const node = await start();
    await publish(node, 'scores.a', 10_000, 400);
    const client = await node.connect({ encoding: 'msgpack', token: await tokenOf({ sub: 'ann', publish: ['chat.>'] }) });
    const { epoch } = await client.subscribe('scores.b');
    client.pause();
    client.send({ type: 'history', id: 1, topic: 'scores.a', last: 10_000 });
    client.send({ type: 'publish', id: 2, topic: 'chat.a', data: 'between' });
    client.resume();
    await client.next('published');
    expect(partsOf(client, 1).every(({ continues }) => continues)).toBe(true);
    await client.until('the last part', () => partsOf(client, 1).at(-1)?.continues === undefined);
    expect(numbersOf(partsOf(client, 1).flatMap(({ items }) => items))).toEqual(numbers(1, 10_000));
    expect(epoch).toBe(partsOf(client, 1)[0]?.epoch);
  });
});

describe('history that clients ask for', () => {
  it('is bounded by clientItemsMax of the namespace, and 0 switches it off', async () => {
    const node = await start();
    await publish(node, 'few.a', 12);
    await publish(node, 'none.a', 2);
    const client = await node.connect({ encoding: 'json' });
    const { epoch } = await client.subscribe('few.b');
    const since = (offset: number) => client.get('history', { type: 'history', topic: 'few.a', since: { epoch, offset }, limit: 100 });
    expect(await since(0)).toMatchObject({ more: true, complete: true, offset: 5 });
    expect(numbersOf((await since(5)).items)).toEqual(numbers(6, 10));
    expect(await since(10)).toMatchObject({ more: false, offset: 12 });
    const last = await client.get('history', { type: 'history', topic: 'few.a', last: 100 });
    expect(numbersOf(last.items)).toEqual(numbers(8, 12));
    expect(await client.ask({ type: 'history', topic: 'none.a', last: 1 })).toMatchObject({
      type: 'error',
      code: 'unsupported',
      message: expect.stringContaining('none.a'),
    });
    // Recovery is not history.
    expect(await client.subscribe('none.a', { snapshot: true })).toMatchObject({ offset: 2 });
  });

  it('waits in turn, and is busy above historiesPerConnectionMax', async () => {
    const node = await start({ 'tuning.answers.historiesPerConnectionMax': 3 });
    await publish(node, 'scores.a', 20_000, 1000);
    const client = await node.connect({ encoding: 'msgpack' });
    client.pause();
    for (let id = 1; id <= 5; id++) client.send({ type: 'history', id, topic: 'scores.a', last: 4000 });
    await node.untilMetric('stentor_errors_total', (count) => count === 2, { code: 'busy' });
    client.resume();
    for (const id of [4, 5]) {
      const refused = await client.next('error', (message) => message.id === id);
      expect(refused).toMatchObject({ code: 'busy', retryable: true, retryAfterMs: 1000 });
    }
    for (const id of [1, 2, 3]) {
      await client.until(`the end of ${id}`, () => partsOf(client, id).some(({ continues }) => continues === undefined));
      expect(numbersOf(partsOf(client, id).flatMap(({ items }) => items)).at(-1)).toBe(20_000);
    }
    // There is room again.
    expect(await client.get('history', { type: 'history', topic: 'scores.a', last: 1 })).toMatchObject({ offset: 20_000 });
  });

  it('waits for its share of the byte budget for answers, and is busy if too many wait', async () => {
    const small = {
      'tuning.recovery.recoveryBytesMax': 65_536,
      'tuning.answers.historyBytesMax': 65_536,
      'tuning.answers.answerBytesPerNodeMax': 65_536,
    };
    const node = await start({ ...small, 'tuning.answers.answerBytesPerWorkerMax': 65_536, 'tuning.answers.answersWaitingMax': 2 });
    await publish(node, 'scores.a', 500);
    const clients = await Promise.all(Array.from({ length: 6 }, () => node.connect({ encoding: 'msgpack' })));
    const outcomes = await Promise.all(
      clients.map(async (client) => {
        const reply = await client.ask({ type: 'history', topic: 'scores.a', last: 500 });
        if (reply.type === 'error') expect(reply).toMatchObject({ code: 'busy', retryable: true, retryAfterMs: 1000 });
        return reply.type;
      }),
    );
    expect(new Set(outcomes)).toEqual(new Set(['history', 'error']));
    expect(await clients[0]!.get('history', { type: 'history', topic: 'scores.a', last: 3 })).toMatchObject({ offset: 500 });
    expect(await node.metric('stentor_answer_bytes')).toBe(0);
  });

  it('ends when a refreshed token no longer permits the topic', async () => {
    const node = await start();
    await publish(node, 'closed.a', 20_000, 1000);
    const client = await node.connect({ encoding: 'msgpack', token: await tokenOf({ sub: 'ann', subscribe: ['closed.a'] }) });
    client.pause();
    for (const id of [1, 2, 3, 4, 5]) client.send({ type: 'history', id, topic: 'closed.a', last: 4000 });
    client.send({ type: 'refresh', id: 9, token: await tokenOf({ sub: 'ann', subscribe: [] }) });
    await node.untilMetric('stentor_messages_in_total', (count) => count === 1, { type: 'refresh' });
    client.resume();
    for (const id of [2, 3, 4, 5]) {
      expect(await client.next('error', (message) => message.id === id)).toMatchObject({ code: 'forbidden' });
    }
  });
});
