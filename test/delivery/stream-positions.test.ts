import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { readPositions, StreamPositions } from '../../src/delivery/stream-positions.ts';
import { source } from '../support/fanout-fixtures.ts';
import { type FakeClient, TestWorker } from '../support/test-worker.ts';
import { until } from '../support/until.ts';

const topics = ['a.1', 'a.2', 'b.1'];
const topic = (name: string) => name as never;

describe('the positions of a stream', () => {
  const moves = fc.array(
    fc.record({ topic: fc.constantFrom(...topics), epoch: fc.string({ minLength: 1, maxLength: 64 }), offset: fc.maxSafeNat() }),
    { maxLength: 30 },
  );

  it('come back out of the text as they went in, whatever the epochs are called', () => {
    fc.assert(
      fc.property(moves, (all) => {
        const positions = new StreamPositions(topics, []);
        const last = new Map<string, { epoch: string; offset: number }>();
        for (const { topic: name, ...position } of all) {
          last.set(name, position);
          positions.move({ topic: topic(name), prev: 0, ...position });
        }
        expect(readPositions(positions.text, topics)).toEqual(topics.map((name) => last.get(name)));
        expect(positions.text).toMatch(/^[\x21-\x7e]*$/);
      }),
    );
  });

  it('are refused for other topics, or in another order', () => {
    const { text } = new StreamPositions(topics, [{ epoch: 'e', offset: 1 }]);
    expect(readPositions(text, topics)).toEqual([{ epoch: 'e', offset: 1 }, undefined, undefined]);
    for (const others of [['a.1'], ['a.2', 'a.1', 'b.1'], [...topics, 'c.1']]) expect(readPositions(text, others)).toBeUndefined();
  });

  it('are read from no other text, and nothing in it throws', () => {
    const { text } = new StreamPositions(['a.1'], [{ epoch: 'e', offset: 1 }]);
    const head = text.slice(0, text.lastIndexOf(';') + 1);
    for (const part of ['1:1', '-1', '1.5', ' 1', '999999999999', '1;']) expect(readPositions(head + part, ['a.1'])).toBeUndefined();
    fc.assert(fc.property(fc.string(), (any) => void readPositions(any, topics)));
    expect(readPositions(text.replace(';e;', ';%E0%A4%A;'), ['a.1'])).toBeUndefined();
  });

  it('of fifty topics take at most 700 bytes where they are of one log', () => {
    const fifty = Array.from({ length: 50 }, (_, n) => `scores.match-${n}`);
    const positions = new StreamPositions(
      fifty,
      fifty.map(() => ({ epoch: 'x'.repeat(22), offset: Number.MAX_SAFE_INTEGER })),
    );
    expect(positions.text.length).toBeLessThanOrEqual(700);
  });
});

describe('a stream in a worker', () => {
  let worker: TestWorker;
  afterEach(() => worker.stop());

  async function open(query: string, names: readonly string[], lastEventId = ''): Promise<FakeClient> {
    worker ??= await TestWorker.create({ namespaces: { open: { public: true } } });
    const client = worker.client({ stream: [query, lastEventId] });
    for (const name of names) await worker.open(name);
    await until('subscribed', () => client.ofType('subscribed').length === names.length);
    return client;
  }

  const lastPosition = (client: FakeClient, names: readonly string[]) => readPositions(client.socket.eventIds.at(-1) ?? '', names);

  it('gets nothing that would leave a gap: it goes back, and gets what lies between from the log', async () => {
    worker = await TestWorker.create({ namespaces: { open: { public: true } }, 'tuning.recent.itemsPerTopicMax': 16 });
    const client = await open('topic=open.a', ['open.a']);
    // More than the ring holds, in one turn.
    worker.hears(...Array.from({ length: 40 }, (_, n) => worker.publication('open.a', n + 1)));
    const { requestId, after } = await worker.asked('read');
    expect(after).toBe(0);
    const items = Array.from({ length: 30 }, (_, n) => source(n + 1));
    worker.hears({ kind: 'items', requestId, epoch: 'e1', offset: 30, complete: true, more: true, items });
    await until('everything', () => lastPosition(client, ['open.a'])?.[0]?.offset === 40);
    const offsets = client.ofType('batch').flatMap(({ items }) => items.map(([offset]) => offset));
    expect(offsets).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
  });

  it('that is full keeps the position that it has, and goes on there', async () => {
    worker = await TestWorker.create({ namespaces: { open: { public: true } } });
    const names = ['open.a', 'open.b'];
    const client = await open('topic=open.a&topic=open.b', names);
    client.socket.isFull = true;
    client.socket.bufferedBytes = 1e6;
    worker.hears(worker.publication('open.a', 1), worker.publication('open.b', 2));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    worker.connections.dropped(client.connection);
    await new Promise((resolve) => setImmediate(resolve));
    expect(lastPosition(client, names)).toEqual([
      { epoch: 'e1', offset: 0 },
      { epoch: 'e1', offset: 0 },
    ]);
    client.socket.isFull = false;
    client.socket.bufferedBytes = 0;
    worker.connections.drained(client.connection);
    await until('both', () => client.ofType('batch').length === 2);
    expect(lastPosition(client, names)?.map((position) => position?.offset)).toEqual([1, 2]);
  });

  it('is told of a reset with the state, and its positions are those of the new epoch', async () => {
    worker = await TestWorker.create({ namespaces: { open: { public: true } } });
    const client = await open('topic=open.a', ['open.a']);
    worker.hears(worker.publication('open.a', 1));
    await until('the batch', () => client.ofType('batch').length === 1);
    worker.hears({
      kind: 'resync',
      topicNumber: 1,
      topic: 'open.a' as never,
      epoch: 'e2',
      offset: 3,
      completeFrom: 0,
      reason: 'rolled back',
      items: [source(3)],
    });
    await until('the resync', () => client.ofType('resync').length === 1);
    expect(lastPosition(client, ['open.a'])).toEqual([{ epoch: 'e2', offset: 3 }]);
    worker.hears(worker.publication('open.a', 4));
    await until('what comes after', () => lastPosition(client, ['open.a'])?.[0]?.offset === 4);
  });
});
