import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeAnswer } from '../../src/http/api/schemas/nodes.ts';
import { encodeKey } from '../../src/protocol/key-token.ts';
import { KeyedFollower } from '../support/keyed-follower.ts';
import { KEYS } from '../support/keys.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  ticks: { public: true, state: 'keyed', clientPublish: true, topicTokens: 2 },
  live: { public: true, state: 'keyed', clientPublish: true, durable: false },
};

const keysOf = (items: readonly (readonly unknown[])[]) => items.map(([, key]) => key);

describe.each(['memory', 'nats'])('keys of any text, with %s', (bus) => {
  let nats: NatsServer | undefined;
  let node: TestNode;
  beforeAll(async () => {
    nats = bus === 'nats' ? await startNatsServer() : undefined;
    node = await TestNode.start({ namespaces: NAMESPACES, ...(nats && { 'nats.url': nats.url }) });
  });
  afterAll(async () => {
    await node?.stop();
    await nats?.stop();
  });

  it.each(['json', 'msgpack'] as const)(
    'come from clients, and reach members, snapshots, history and recovery as they are, in %s',
    async (encoding) => {
      const topic = `ticks.${encoding}`;
      const client = await node.connect({ encoding, token: await tokenOf() });
      const start = await client.subscribe(topic);
      const tracker = client.track(topic);
      for (const key of KEYS) await client.get('published', { type: 'publish', topic, key, data: { about: key } });
      await client.until('all', () => tracker.items.length === KEYS.length);
      expect(tracker.items.map(({ key }) => key)).toEqual(KEYS);
      expect(tracker.items.map(({ data }) => data)).toEqual(KEYS.map((about) => ({ about })));

      const late = await node.connect({ encoding });
      expect(keysOf((await late.subscribe(topic, { snapshot: true })).items)).toEqual(KEYS);
      const back = await node.connect({ encoding });
      const recovered = await back.subscribe(topic, { since: { epoch: start.epoch, offset: start.offset } });
      expect([recovered.recovered, keysOf(recovered.items)]).toEqual([true, KEYS]);
      expect(keysOf((await late.get('history', { type: 'history', topic, last: 100 })).items)).toEqual(KEYS);
    },
  );

  it('reach members of an ephemeral topic', async () => {
    const client = await node.connect({ encoding: 'json', token: await tokenOf() });
    await client.subscribe('live.a');
    const keys = () => client.messages.flatMap((message) => (message.type === 'batch' ? keysOf(message.items) : []));
    for (const key of KEYS) await client.get('published', { type: 'publish', topic: 'live.a', key, data: 1 });
    await client.until('all', () => keys().length === KEYS.length);
    expect(keys()).toEqual(KEYS);
  });

  it('removes the key that it names, and no other', async () => {
    const client = await node.connect({ encoding: 'json', token: await tokenOf() });
    for (const key of ['BRK.A', 'BRK.B']) await client.get('published', { type: 'publish', topic: 'ticks.gone', key, data: 1 });
    await client.get('published', { type: 'publish', topic: 'ticks.gone', key: 'BRK.A', data: null });
    const { items } = await client.subscribe('ticks.gone', { snapshot: true });
    expect(keysOf(items)).toEqual(['BRK.B']);
  });

  it.each(['subscribe', 'publish', 'history'] as const)('answers %s of a topic of another depth with bad_topic', async (type) => {
    const client = await node.connect({ encoding: 'json', token: await tokenOf() });
    for (const topic of ['ticks', 'ticks.fx.BRK']) {
      const command = type === 'publish' ? { type, topic, key: 'B', data: 1 } : { type, topic };
      expect(await client.ask(command)).toMatchObject({ type: 'error', code: 'bad_topic', message: expect.stringContaining('have 2') });
    }
  });
});

describe('a producer’s wrong subjects', () => {
  let nats: NatsServer;
  let node: TestNode;
  let producer: NatsConnection;
  beforeAll(async () => {
    nats = await startNatsServer();
    node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': nats.url, 'tuning.nats.subjectCheckIntervalMs': 20 });
    producer = await connect({ servers: nats.url });
  });
  afterAll(async () => {
    await producer?.close();
    await node?.stop();
    await nats?.stop();
  });

  it('are in the metric, the log and the admin API, even without subscribers', async () => {
    const js = jetstream(producer);
    for (const subject of ['feed.ticks.fx.BRK.B', 'feed.ticks.fx', 'feed.ticks.fx.BTC/USDT']) await js.publish(subject, '1');
    await js.publish(`feed.ticks.fx.${encodeKey('BTC/USDT')}`, '1');
    const metric = 'stentor_bus_messages_skipped_total';
    await node.untilMetric(metric, (value) => value === 2, { topic_namespace: 'ticks', reason: 'wrong_depth' });
    await node.untilMetric(metric, (value) => value === 1, { topic_namespace: 'ticks', reason: 'bad_token' });
    const line = node.log.find((one) => one.includes('feed.ticks.fx.BTC/USDT'));
    expect(line).toContain('BTC=2FUSDT');
    const { errors } = (await (await node.admin('/api/node')).json()) as NodeAnswer;
    expect(errors.skipped).toEqual([
      { code: 'wrong_depth', count: 2 },
      { code: 'bad_token', count: 1 },
    ]);
  });
});

describe('a topic with more keys than a node keeps', () => {
  it('begins anew for a rate class that has missed changes of more keys than that, and for nobody else', async () => {
    const node = await TestNode.start({ namespaces: NAMESPACES, 'tuning.recent.keysPerTopicMax': 2 });
    try {
      const topic = 'ticks.many';
      const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
      for (const key of keys) await node.publish(topic, { n: 0 }, { key });
      const [live, sampled] = [await node.connect(), await node.connect()];
      for (const [client, wish] of [
        [live, {}],
        [sampled, { maxRateHz: 1 }],
      ] as const) {
        await client.get('subscribed', { type: 'subscribe', topic, snapshot: true, ...wish });
      }
      for (const key of keys) await node.publish(topic, { n: 1 }, { key });
      const { offset } = await node.publish(topic, { n: 2 }, { key: 'k0' });
      const latest = Object.fromEntries(keys.map((key) => [key, { n: key === 'k0' ? 2 : 1 }]));
      const all = async (client: typeof live) => {
        const follower = new KeyedFollower(topic);
        await client.until(`offset ${offset}`, () => follower.take(client).offset >= offset);
        expect(follower.gaps).toBe(0);
        return follower.all;
      };
      expect(await all(live)).toEqual(latest);
      expect(live.messages.some(({ type }) => type === 'resync')).toBe(false);
      const known = await all(sampled);
      expect(latest).toMatchObject(known);
      expect(known).toMatchObject({ k29: { n: 1 }, k0: { n: 2 } });
      expect(await sampled.next('resync')).toMatchObject({ reason: 'what was missed is no longer known' });
    } finally {
      await node.stop();
    }
  });
});
