import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { TestWorker } from '../support/test-worker.ts';

const NAMESPACES = { chat: { public: true, durable: false }, live: { public: true, durable: false } };

describe('a message to a namespace', () => {
  let worker: TestWorker;
  beforeEach(async () => {
    worker = await TestWorker.create({ namespaces: NAMESPACES });
  });
  afterEach(() => worker.stop());

  const send = (data: unknown, namespace = 'chat') => worker.hears({ kind: 'sendToNamespace', namespace, data: packMsgpack(data) });

  it('is one frame for all native sockets of an encoding, whoever they are', async () => {
    send(1);
    const frames = worker.published.map(({ shard, frame }) => [shard, frame.length > 0]);
    expect(frames).toHaveLength(2);
    send(2);
    expect(new Set(worker.published.map(({ shard }) => shard)).size).toBe(2);
    send(3, 'live');
    expect(new Set(worker.published.map(({ shard }) => shard)).size).toBe(4);
  });

  it('is sent to each socket without native publish that is subscribed, and dropped for one that does not keep up', async () => {
    const clients = ['json', 'msgpack'].map((encoding) => worker.client({ isNative: false, encoding: encoding as 'json' | 'msgpack' }));
    const other = worker.client({ isNative: false });
    for (const [client, topic] of [
      [clients[0]!, 'chat.a'],
      [clients[1]!, 'chat.a'],
      [other, 'live.a'],
    ] as const) {
      client.say({ type: 'subscribe', id: 1, topic });
    }
    await worker.open('chat.a');
    await worker.open('live.a');
    for (const client of [...clients, other]) await client.answerTo(1);
    send('first');
    for (const client of clients) expect(client.ofType('message')).toEqual([{ type: 'message', namespace: 'chat', data: 'first' }]);
    clients[0]!.socket.bufferedBytes = 10_000_000;
    send('second');
    expect(clients[1]!.ofType('message')).toHaveLength(2);
    expect(clients[0]!.ofType('message')).toHaveLength(1);
    expect(other.ofType('message')).toEqual([]);
  });
});
