import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProcessPair } from '../support/process-pair.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  scores: { public: true, clientPublish: true },
  ticks: { public: true, state: 'keyed', slowConsumer: 'conflate', history: { maxCount: 1000 } },
  live: { public: true, durable: false, clientPublish: true },
};
const CLIENTS = 300;

describe('two nodes with two workers each, on one nats-server', () => {
  let pair: ProcessPair;
  beforeAll(async () => {
    pair = await ProcessPair.start({ namespaces: NAMESPACES, 'log.level': 'info' });
  });
  afterAll(() => pair?.stop());

  /** Half of them on each node, half of those in each encoding. */
  async function subscribers(topic: string, count: number): Promise<TestClient[]> {
    const clients: TestClient[] = [];
    for (let at = 0; at < count; at += 50) {
      const some = Array.from({ length: Math.min(50, count - at) }, async (_, i) => {
        const node = pair.node(i);
        const client = await node.connect({ encoding: i % 4 < 2 ? 'msgpack' : 'json' });
        client.track(topic);
        await client.subscribe(topic, { snapshot: true });
        return client;
      });
      clients.push(...(await Promise.all(some)));
    }
    return clients;
  }

  it('deliver every publication to every client, once and in order', async () => {
    const clients = await subscribers('scores.match', CLIENTS);
    const log = jetstream(pair.producer);
    const count = 500;
    const acks = await Promise.all(Array.from({ length: count }, (_, n) => log.publish('feed.scores.match', JSON.stringify({ n }))));
    const last = Math.max(...acks.map(({ seq }) => seq));
    await Promise.all(clients.map((client) => client.until('the end', () => client.track('scores.match').last === last)));
    for (const client of clients) {
      const tracker = client.track('scores.match');
      expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
      expect(tracker.items.map(({ data }) => data.n)).toEqual(Array.from({ length: count }, (_, n) => n));
    }
    const connections = await Promise.all(pair.nodes.map((node) => node.metric('stentor_connections')));
    expect(connections).toEqual([CLIENTS / 2, CLIENTS / 2]);
    expect(await pair.metric('stentor_deliveries_total')).toBe(CLIENTS * count);
  });

  it('agree on the state of a keyed topic, wherever and whenever a client joins', async () => {
    const log = jetstream(pair.producer);
    const publish = (n: number) => log.publish(`feed.ticks.fx.K${n % 20}`, n % 13 === 12 ? '' : String(n));
    const early = await subscribers('ticks.fx', 20);
    let last = 0;
    const late: TestClient[] = [];
    for (let n = 0; n < 400; n++) {
      last = (await publish(n)).seq;
      if (n % 100 === 50) late.push(...(await subscribers('ticks.fx', 8)));
    }
    const clients = [...early, ...late];
    await Promise.all(clients.map((client) => client.until('the end', () => client.track('ticks.fx').last === last)));
    const states = clients.map((client) => JSON.stringify([...client.track('ticks.fx').state].sort()));
    expect(new Set(states).size).toBe(1);
    for (const client of clients) expect(client.track('ticks.fx')).toMatchObject({ gaps: 0, duplicates: 0 });
  });

  it('carry a client’s publication from one node to the other, with one place in the log for both', async () => {
    const [here, there] = pair.nodes;
    const token = await tokenOf({ sub: 'alice' });
    const alice = await here.connect({ encoding: 'msgpack', token });
    const bob = await there.connect({ encoding: 'json' });
    await bob.subscribe('scores.chat');
    await bob.subscribe('live.chat');
    const ack = await alice.get('published', { type: 'publish', topic: 'scores.chat', data: 'hello', idempotencyKey: 'k1' });
    expect((await bob.next('batch')).items).toEqual([[ack.offset, null, 'hello', { origin: 'alice' }]]);
    await alice.get('published', { type: 'publish', topic: 'live.chat', data: 'now' });
    expect((await bob.next('batch')).items).toEqual([[0, null, 'now', { origin: 'alice' }]]);
    // The same key on the other node: stored once, and both say where.
    const elsewhere = await there.connect({ encoding: 'json', token });
    const again = await elsewhere.get('published', { type: 'publish', topic: 'scores.chat', data: 'hello', idempotencyKey: 'k1' });
    expect(again).toMatchObject({ epoch: ack.epoch, offset: ack.offset, duplicate: true });
  });

  it('take over from each other: a position of one is good on the other', async () => {
    const [here, there] = pair.nodes;
    const log = jetstream(pair.producer);
    const first = await here.connect();
    const tracker = first.track('scores.move');
    await first.subscribe('scores.move');
    for (let n = 0; n < 50; n++) await log.publish('feed.scores.move', String(n));
    await first.until('all', () => tracker.items.length === 50);
    const { epoch } = tracker;
    const since = { epoch, offset: tracker.items[19]?.offset as number };
    await first.close();
    for (let n = 50; n < 100; n++) await log.publish('feed.scores.move', String(n));
    const second = await there.connect();
    const resumed = await second.subscribe('scores.move', { since });
    expect(resumed.recovered).toBe(true);
    expect(resumed.items.map(([, , data]) => data)).toEqual(Array.from({ length: 80 }, (_, i) => 20 + i));
  });
});
