import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Item } from '../../src/protocol/messages.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import type { TrackedItem } from '../support/topic-tracker.ts';

const history = { maxCount: 100_000 };
const NAMESPACES = {
  scores: { public: true, history },
  ticks: { public: true, state: 'keyed', slowConsumer: 'conflate', history },
  chat: { public: true, clientPublish: true, history },
  live: { public: true, durable: false },
};
const COUNT = 30;

/** What everybody must get who asks: the time that the log has for each offset. */
async function timesInLog(node: TestNode, topic: string): Promise<Map<number, number>> {
  const log = node.bus.log(topic.split('.')[0] as string);
  const { publications } = await log.read(parseTopic(topic), { after: 0, limit: 100_000 });
  return new Map(publications.map(({ offset, publishedAtMs }) => [offset, Math.floor(publishedAtMs)]));
}

const timesOf = (items: readonly TrackedItem[]) => new Map(items.map(({ offset, meta }) => [offset, meta?.publishedAtMs]));
const timesOfWire = (items: readonly Item[]) => new Map(items.map(([offset, , , meta]) => [offset, meta?.publishedAtMs]));
const only = (times: Map<number, number>, offsets: Iterable<number>) => new Map([...offsets].map((offset) => [offset, times.get(offset)]));

describe.each(['memory', 'nats'])('timestamps: true, with %s', (bus) => {
  let nats: NatsServer | undefined;
  let node: TestNode;
  beforeAll(async () => {
    nats = bus === 'nats' ? await startNatsServer() : undefined;
    node = await TestNode.start({
      namespaces: NAMESPACES,
      'heartbeat.pingIntervalMs': 600_000,
      'limits.slowTimeoutMs': 600_000,
      ...(nats && { 'nats.url': nats.url }),
    });
  });
  afterAll(async () => {
    await node?.stop();
    await nats?.stop();
  });

  const publish = async (topic: string, count = COUNT, more: object = {}) => {
    for (let n = 1; n <= count; n++) await node.publish(topic, { n, ...more }, topic.startsWith('ticks') ? { key: `k${n % 5}` } : {});
  };
  const listen = async (client: TestClient, topic: string, more: object = {}) => {
    const tracker = client.track(topic);
    const answer = await client.subscribe(topic, { timestamps: true, ...more });
    return { tracker, answer };
  };

  describe.each(['msgpack', 'json'] as const)('in %s', (encoding) => {
    it('gives every item the time at which the log stored it: live, in the state, recovered, and in the history', async () => {
      const topic = `scores.${encoding}`;
      const beforeMs = Date.now();
      const [client, plain] = [await node.connect({ encoding }), await node.connect({ encoding })];
      const { tracker, answer } = await listen(client, topic);
      plain.track(topic);
      await plain.subscribe(topic);
      await publish(topic);
      for (const one of [client, plain]) await one.until('all', () => one.track(topic).items.length === COUNT);
      const times = await timesInLog(node, topic);
      expect(timesOf(tracker.items)).toEqual(times);
      for (const time of times.values()) {
        // Machine and NATS have one clock here; NATS takes the time when it stores.
        expect(time).toBeGreaterThanOrEqual(Math.floor(beforeMs) - 1);
        expect(time).toBeLessThanOrEqual(Date.now());
      }
      // Nobody else's items have grown.
      expect(plain.track(topic).items.map(({ meta }) => meta)).toEqual(Array(COUNT).fill(undefined));

      const late = await node.connect({ encoding });
      const state = await late.subscribe(topic, { snapshot: true, timestamps: true });
      expect(timesOfWire(state.items)).toEqual(only(times, [tracker.last]));
      const back = await node.connect({ encoding });
      const missed = await back.subscribe(topic, { since: { epoch: answer.epoch, offset: answer.offset }, timestamps: true });
      expect([missed.recovered, timesOfWire(missed.items)]).toEqual([true, times]);
      const past = (more: object) => back.get('history', { type: 'history', topic, ...more });
      expect(timesOfWire((await past({ last: 100, timestamps: true })).items)).toEqual(times);
      const since = { epoch: answer.epoch, offset: answer.offset };
      expect(timesOfWire((await past({ since, limit: 5, timestamps: true })).items)).toEqual(only(times, [...times.keys()].slice(0, 5)));
      expect((await past({ last: 3 })).items.map((item) => item.length)).toEqual([3, 3, 3]);
    });

    it('does so in a rate class, and for keys that are removed', async () => {
      const topic = `ticks.${encoding}`;
      const client = await node.connect({ encoding });
      const { tracker } = await listen(client, topic, { maxRateHz: 20 });
      await publish(topic);
      await node.publish(topic, Buffer.alloc(0), { key: 'k1' });
      const times = await timesInLog(node, topic);
      const end = Math.max(...times.keys());
      await client.until('the end', () => tracker.last === end);
      expect(timesOf(tracker.items)).toEqual(
        only(
          times,
          tracker.items.map(({ offset }) => offset),
        ),
      );
      expect(tracker.items.at(-1)?.meta).toEqual({ removed: true, publishedAtMs: times.get(end) });
      const late = await node.connect({ encoding });
      const { items } = await late.subscribe(topic, { snapshot: true, timestamps: true });
      expect(items).toHaveLength(4);
      expect(timesOfWire(items)).toEqual(
        only(
          times,
          items.map(([offset]) => offset),
        ),
      );
    });

    it('holds what a client published beside its user, and a place that is left out for it', async () => {
      const topic = `chat.${encoding}`;
      const [ann, bob] = [await node.connect({ encoding, token: await tokenOf() }), await node.connect({ encoding })];
      const { tracker: own } = await listen(ann, topic, { echo: false });
      const { tracker } = await listen(bob, topic);
      await ann.get('published', { type: 'publish', topic, data: { n: 1 } });
      const times = await timesInLog(node, topic);
      await bob.until('it', () => tracker.items.length === 1);
      await ann.until('the place', () => own.last === tracker.last);
      expect(tracker.items[0]?.meta).toEqual({ origin: expect.any(String), publishedAtMs: times.get(tracker.last) });
      expect([own.covered, own.items]).toEqual([1, []]);
    });

    it('says nothing in an ephemeral topic, which no log stores', async () => {
      const topic = `live.${encoding}`;
      const client = await node.connect({ encoding });
      await client.subscribe(topic, { timestamps: true });
      await node.publish(topic, { n: 1 });
      expect((await client.next('batch')).items).toEqual([[0, null, { n: 1 }]]);
    });
  });

  it('can be turned on and off while subscribed', async () => {
    const topic = 'scores.changed';
    const client = await node.connect({ encoding: 'msgpack' });
    const tracker = client.track(topic);
    for (const timestamps of [false, true, false]) {
      await client.subscribe(topic, { timestamps });
      const { length } = tracker.items;
      await publish(topic, 1);
      await client.until('it', () => tracker.items.length === length + 1);
    }
    const times = await timesInLog(node, topic);
    expect(tracker.items.map(({ meta }) => meta?.publishedAtMs)).toEqual([undefined, [...times.values()][1], undefined]);
  });

  it.each(['scores.slow', 'ticks.slow'])('holds for what a slow consumer of %s is caught up with', async (topic) => {
    const client = await node.connect({ encoding: 'msgpack' });
    const { tracker } = await listen(client, topic);
    const lagged = await node.metric('stentor_connections_lagged_total');
    client.pause();
    let published = 0;
    while ((await node.metric('stentor_connections_lagged_total')) === lagged) {
      await publish(topic, 100, { padding: 'x'.repeat(8000) });
      published += 100;
    }
    await publish(topic, 100, { padding: 'x'.repeat(8000) });
    published += 100;
    client.resume();
    const times = await timesInLog(node, topic);
    const end = Math.max(...times.keys());
    await client.until('the end', () => tracker.last === end);
    expect(times.size).toBe(published);
    expect(timesOf(tracker.items)).toEqual(
      only(
        times,
        tracker.items.map(({ offset }) => offset),
      ),
    );
  });
});
