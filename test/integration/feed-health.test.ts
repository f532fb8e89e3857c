import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

const STALE_AFTER_MS = 2000;
/** PROTOCOL.md promises that an interruption of this length makes no topic stale. So the test waits for this time, and not for an event. */
const INTERRUPTION_MS = 3000;
const NAMESPACES = {
  scores: { public: true, staleAfterMs: STALE_AFTER_MS },
  passing: { public: true, durable: false, staleAfterMs: STALE_AFTER_MS },
  calm: { public: true },
};

describe('topics of namespaces with staleAfterMs', () => {
  let server: NatsServer;
  let proxy: TestProxy;
  let node: TestNode;
  let producer: NatsConnection;
  const timers: NodeJS.Timeout[] = [];

  beforeEach(async () => {
    server = await startNatsServer();
    proxy = await TestProxy.start(server.port);
    node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': `nats://127.0.0.1:${proxy.port}` });
    producer = await connect({ servers: server.url });
  });

  afterEach(async () => {
    for (const timer of timers.splice(0)) clearInterval(timer);
    await node.stop();
    await producer.close();
    await proxy.stop();
    await server.stop();
  });

  /** The producer says for the topic, again and again, that it is there. */
  const beat = (topic: string) => {
    producer.publish(`beat.${topic}`);
    timers.push(setInterval(() => producer.publish(`beat.${topic}`), 400));
  };
  const stale = (namespace: string, reason: string) => node.metric('stentor_topics_stale', { topic_namespace: namespace, reason });

  it.each(['scores', 'passing'])(
    'are stale when their producer is silent, once, and not any more when it is heard (%s)',
    async (namespace) => {
      const topic = `${namespace}.a`;
      const clients = await Promise.all([node.connect(), node.connect({ encoding: 'msgpack' })]);
      for (const client of clients) expect(await client.subscribe(topic)).not.toHaveProperty('stale');
      const publishedFromMs = Date.now();
      producer.publish(`feed.${topic}`, '1');
      for (const client of clients) {
        await client.next('batch');
        const told = await client.next('status');
        expect(told).toMatchObject({ topic, stale: true, reason: 'producer_silent' });
        expect(told.sinceMs).toBeGreaterThanOrEqual(publishedFromMs - 1);
        expect(told.sinceMs).toBeLessThanOrEqual(Date.now() - STALE_AFTER_MS + 1);
      }
      expect(await stale(namespace, 'producer_silent')).toBe(1);
      const late = await node.connect();
      expect(await late.subscribe(topic)).toMatchObject({ stale: { reason: 'producer_silent', sinceMs: expect.any(Number) } });
      expect(await late.subscribe(topic, { maxRateHz: 1 })).toMatchObject({ stale: { reason: 'producer_silent' } });

      producer.publish(`beat.${topic}`);
      for (const client of [...clients, late]) expect(await client.next('status')).toEqual({ type: 'status', topic, stale: false });
      for (const client of clients) expect(client.messages.filter(({ type }) => type === 'status')).toHaveLength(2);
      expect(await stale(namespace, 'producer_silent')).toBe(0);
    },
  );

  it('are stale since their last publication in the log, in whole milliseconds, if that was before anybody followed them', async () => {
    const topic = 'scores.before';
    await jetstream(producer).publish(`feed.${topic}`, '1');
    const client = await node.connect();
    const first = await client.subscribe(topic, { since: { epoch: '-', offset: 0 }, timestamps: true });
    const [, , , meta] = first.items[0] as unknown as [number, null, number, { readonly publishedAtMs: number }];
    expect(await client.next('status')).toEqual({
      type: 'status',
      topic,
      stale: true,
      reason: 'producer_silent',
      sinceMs: meta.publishedAtMs,
    });
  });

  it('are not stale while heartbeats come, and others are', async () => {
    const client = await node.connect();
    beat('scores.beats');
    for (const topic of ['scores.beats', 'scores.silent', 'calm.a']) await client.subscribe(topic);
    expect(await client.next('status')).toMatchObject({ topic: 'scores.silent', stale: true });
    await client.subscribe('scores.later');
    expect(await client.next('status')).toMatchObject({ topic: 'scores.later', stale: true });
    expect(client.messages.filter((message) => message.type === 'status').map(({ topic }) => topic)).toEqual([
      'scores.silent',
      'scores.later',
    ]);
  });

  it.each(['cut', 'stall'] as const)('are not stale through a %s of 3 s', async (how) => {
    const client = await node.connect();
    const watched = ['scores.beats', 'passing.beats'];
    for (const topic of watched) {
      beat(topic);
      await client.subscribe(topic);
    }
    const breaks = () => {
      if (how === 'stall') proxy.stalled = true;
      else {
        proxy.refusing = true;
        proxy.cut();
      }
    };
    const heals = () => {
      // What waited goes on, as TCP sends it again.
      proxy.release();
      proxy.refusing = false;
    };
    breaks();
    await sleep(INTERRUPTION_MS);
    heals();
    // A topic that nobody speaks of is stale in the end, so the others have had the same time.
    const silent = 'scores.silent';
    await until('the log can be read again', async () => (await client.ask({ type: 'subscribe', topic: silent })).type === 'subscribed');
    expect(await client.next('status')).toMatchObject({ topic: silent, stale: true, reason: 'producer_silent' });
    expect(client.messages.filter((message) => message.type === 'status')).toHaveLength(1);
  });

  it('are stale because the node has lost NATS, and again heard of when it is back', async () => {
    const client = await node.connect();
    beat('scores.beats');
    for (const topic of ['scores.beats', 'scores.silent']) await client.subscribe(topic);
    proxy.refusing = true;
    proxy.cut();
    const told = [await client.next('status'), await client.next('status')];
    expect(told.map(({ topic, reason }) => `${topic} ${reason}`).sort()).toEqual(['scores.beats broker_lost', 'scores.silent broker_lost']);
    expect(await stale('scores', 'broker_lost')).toBe(2);
    proxy.refusing = false;
    expect(await client.next('status')).toMatchObject({ topic: 'scores.beats', stale: false });
    expect(await client.next('status')).toMatchObject({ topic: 'scores.silent', stale: true, reason: 'producer_silent' });
    expect(await stale('scores', 'broker_lost')).toBe(0);
  });

  it('are told to applications by the SDK', async () => {
    const client = createClient({ url: node.url });
    const told: (string | undefined)[] = [];
    const topic = client.topic('scores.a', { onStale: (change) => told.push(change?.reason) });
    topic.subscribe(() => undefined);
    await until('the topic is stale', () => topic.stale?.reason === 'producer_silent');
    const second = createClient({ url: node.url });
    const later = second.topic('scores.a');
    later.subscribe(() => undefined);
    await until('who comes later knows it too', () => later.stale !== undefined);
    producer.publish('feed.scores.a', '1');
    await until('it is not stale any more', () => topic.stale === undefined && later.stale === undefined);
    expect(told).toEqual(['producer_silent', undefined]);
    for (const each of [client, second]) each.close();
  });
});
