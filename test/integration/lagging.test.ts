import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const KEYS = 10;
const nodes: TestNode[] = [];

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const history = { maxCount: 100_000 };
  const node = await TestNode.start({
    namespaces: {
      replay: { public: true, slowConsumer: 'replay', history },
      conflate: { public: true, state: 'keyed', slowConsumer: 'conflate', history },
      skip: { public: true, slowConsumer: 'skip', history },
      close: { public: true, slowConsumer: 'close', history },
      live: { public: true, durable: false, slowConsumer: 'replay' },
      chat: { public: true, clientPublish: true, slowConsumer: 'replay', history },
    },
    'tuning.hub.topicLingerMs': 0,
    'limits.messagesPerSecondMax': 10_000,
    // Clients that are paused on purpose answer no pings.
    'heartbeat.pingIntervalMs': 600_000,
    ...settings,
  });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

/** A producer that counts: publication n is `{n}` with so much padding, of key `k<n mod 10>` in the keyed namespace. */
class Feed {
  readonly topic: string;
  count = 0;
  readonly #node: TestNode;
  readonly #padding: string;

  constructor(node: TestNode, topic: string, paddingBytes = 8000) {
    this.#node = node;
    this.topic = topic;
    this.#padding = 'x'.repeat(paddingBytes);
  }

  async publish(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const n = ++this.count;
      await this.#node.publish(this.topic, { n, padding: this.#padding }, this.topic.startsWith('conflate') ? { key: `k${n % KEYS}` } : {});
      // Turns in which the sockets are served.
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Publishes until one connection more is lagging, and then so much again. */
  async overrun(more = 100): Promise<void> {
    const before = await this.#node.metric('stentor_connections_lagged_total');
    while ((await this.#node.metric('stentor_connections_lagged_total')) === before) await this.publish(100);
    await this.publish(more);
  }
}

async function pair(node: TestNode, topic: string): Promise<{ fast: TestClient; slow: TestClient }> {
  const [fast, slow] = [await node.connect({ encoding: 'msgpack' }), await node.connect({ encoding: 'msgpack' })];
  for (const client of [fast, slow]) {
    client.track(topic);
    await client.subscribe(topic);
  }
  return { fast, slow };
}

const numbersOf = (client: TestClient, topic: string) => client.track(topic).items.map(({ data }) => data.n as number);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const reached = (client: TestClient, feed: Feed) =>
  client.until(`publication ${feed.count}`, () => client.track(feed.topic).last === feed.count);

describe('publications that arrive faster than members can be served', () => {
  const burst = (node: TestNode, count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => node.publish('replay.a', { n: i + 1, padding: 'x'.repeat(500) })));

  it('wait, and evict nothing from the ring that some member has not received', async () => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 256 });
    const { fast, slow } = await pair(node, 'replay.a');
    await burst(node, 3000);
    for (const client of [fast, slow]) {
      await client.until('all of them', () => client.track('replay.a').last === 3000);
      expect(numbersOf(client, 'replay.a')).toEqual(upTo(3000));
      expect(client.track('replay.a')).toMatchObject({ gaps: 0, duplicates: 0, skipped: 0, resyncs: [] });
    }
    // The topic waits once, until everything behind it was delivered, or a few times if it arrives in parts.
    expect(await node.metric('stentor_topic_queued_total')).toBeGreaterThan(0);
    // Whatever came behind them has its turn, too.
    await node.publish('skip.a', 1);
    expect((await fast.subscribe('skip.a', { snapshot: true })).items).toHaveLength(1);
  });

  it('do not wait above topicQueueMaxMs: members are told what they did not get, and see the gap', async () => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 256, 'tuning.fanout.topicQueueMaxMs': 0 });
    const { fast } = await pair(node, 'replay.a');
    await burst(node, 3000);
    await fast.until('the last of them', () => fast.track('replay.a').last === 3000);
    const { gaps, duplicates, skipped, items } = fast.track('replay.a');
    expect(gaps).toBeGreaterThan(0);
    expect({ duplicates, all: items.length + skipped }).toEqual({ duplicates: 0, all: 3000 });
    expect(await node.metric('stentor_topic_queued_total')).toBe(0);
  });
});

describe('a connection that does not keep up', () => {
  it('with policy replay gets everything it missed, from the ring', async () => {
    const node = await start();
    const feed = new Feed(node, 'replay.a');
    const { fast, slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun();
    expect(await node.metric('stentor_connections_lagging')).toBe(1);
    await reached(fast, feed);
    slow.resume();
    await reached(slow, feed);
    await node.untilMetric('stentor_connections_rejoined_total', (times) => times === 1);
    await feed.publish(10);
    for (const client of [fast, slow]) {
      await reached(client, feed);
      expect(numbersOf(client, feed.topic)).toEqual(upTo(feed.count));
      expect(client.track(feed.topic)).toMatchObject({
        gaps: 0,
        duplicates: client === fast ? 0 : expect.any(Number),
        lagged: [],
        resyncs: [],
      });
    }
    expect(await node.metric('stentor_connections_lagging')).toBe(0);
  });

  it.each([2000, 40_000])('with policy replay gets everything it missed, from the log, in publications of %i bytes', async (bytes) => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 16 });
    const feed = new Feed(node, 'replay.a', bytes);
    const { fast, slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun(300);
    slow.resume();
    // The feed goes on while it is being caught up.
    await feed.publish(300);
    for (const client of [fast, slow]) {
      await reached(client, feed);
      expect(numbersOf(client, feed.topic)).toEqual(upTo(feed.count));
      expect(client.track(feed.topic)).toMatchObject({ gaps: 0, resyncs: [] });
    }
  });

  it('with policy replay is told to resync if even the log no longer has what it missed', async () => {
    const node = await start({
      'tuning.recent.itemsPerTopicMax': 16,
      namespaces: { replay: { public: true, slowConsumer: 'replay', history: { maxCount: 50 } } },
    });
    const feed = new Feed(node, 'replay.a');
    const { slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun(500);
    slow.resume();
    await feed.publish(1);
    await reached(slow, feed);
    const tracker = slow.track(feed.topic);
    expect(tracker.resyncs).toHaveLength(1);
    expect(tracker.resyncs[0]?.reason).toMatch(/log/);
    await feed.publish(20);
    await reached(slow, feed);
    expect(tracker.gaps).toBe(0);
  });

  it('with policy conflate gets the latest of every key, is told how many it did not get, and ends equal to the others', async () => {
    const node = await start();
    const feed = new Feed(node, 'conflate.a');
    const { fast, slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun(1000);
    slow.resume();
    await Promise.all([reached(fast, feed), reached(slow, feed)]);
    await node.untilMetric('stentor_connections_rejoined_total', (times) => times === 1);
    await feed.publish(25);
    await Promise.all([reached(fast, feed), reached(slow, feed)]);
    const [of, compared] = [slow.track(feed.topic), fast.track(feed.topic)];
    expect(of.gaps).toBe(0);
    expect(new Map([...of.state].sort())).toEqual(new Map([...compared.state].sort()));
    expect(of.lagged).toEqual([{ type: 'lagged', topic: feed.topic, policy: 'conflate', skipped: of.conflated }]);
    // The turn in which something was lost counts as lost whole, although some of it may have come.
    expect(of.items.length + of.conflated - feed.count).toBeGreaterThanOrEqual(0);
    expect(of.items.length + of.conflated - feed.count).toBeLessThan(100);
    expect(of.conflated).toBeGreaterThan(900);
    expect(await node.metric('stentor_lagging_skipped_total')).toBe(of.conflated);
  });

  it('with policy skip is told how many it did not get and where the stream continues', async () => {
    const node = await start();
    const feed = new Feed(node, 'skip.a');
    const { fast, slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun(500);
    slow.resume();
    const lagged = await slow.next('lagged');
    expect(lagged).toMatchObject({ policy: 'skip', topic: feed.topic });
    await feed.publish(10);
    await Promise.all([reached(fast, feed), reached(slow, feed)]);
    const tracker = slow.track(feed.topic);
    expect(tracker.gaps).toBe(0);
    expect(tracker.skipped).toBeGreaterThanOrEqual(500);
    // What was lost in the turn that told of it is counted as skipped, although some of it may have come.
    expect(tracker.items.length + tracker.skipped).toBeGreaterThanOrEqual(feed.count);
    expect(numbersOf(slow, feed.topic).slice(-10)).toEqual(upTo(feed.count).slice(-10));
  });

  it('with policy close is closed with 4103', async () => {
    const node = await start();
    const feed = new Feed(node, 'close.a');
    const { fast, slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun();
    slow.resume();
    expect(await slow.closed).toEqual({ code: 4103, reason: 'too slow' });
    expect(await node.metric('stentor_connections_too_slow_total')).toBe(1);
    await reached(fast, feed);
  });

  it('that does not drain within slowTimeoutMs is closed with 4103', async () => {
    const node = await start({ 'limits.slowTimeoutMs': 1000 });
    const feed = new Feed(node, 'replay.a');
    const { fast, slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun();
    await node.untilMetric('stentor_connections_closed_total', (times) => times === 1, { code: '4103' });
    expect(await node.metric('stentor_connections_lagging')).toBe(0);
    expect(await node.metric('stentor_connections')).toBe(1);
    await reached(fast, feed);
  });

  it('on an ephemeral topic continues from what the ring still has, and is told how many it did not get', async () => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 64 });
    const feed = new Feed(node, 'live.a');
    const slow = await node.connect({ encoding: 'msgpack' });
    await slow.subscribe(feed.topic);
    slow.pause();
    await feed.overrun(500);
    slow.resume();
    expect(await slow.next('lagged')).toMatchObject({ policy: 'replay', skipped: expect.any(Number) });
    await feed.publish(1);
    const seen = () =>
      slow.messages.flatMap((message) => (message.type === 'batch' ? message.items : [])).map((item) => (item[2] as { n: number }).n);
    await slow.until('the end', () => seen().at(-1) === feed.count);
    expect(seen()).toEqual([...seen()].sort((a, b) => a - b));
  });

  it('on many ephemeral topics gets nothing twice, and is told of everything that it did not get', async () => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 64 });
    const topics = Array.from({ length: 40 }, (_, number) => `live.t${number}`);
    const slow = await node.connect({ encoding: 'msgpack' });
    for (const topic of topics) await slow.subscribe(topic);
    const publishToAll = (n: number) =>
      Promise.all(topics.map((topic, i) => node.publish(topic, { n, padding: 'x'.repeat(100 * (i + 1)) }).then(() => undefined)));
    let count = 0;
    for (let round = 0; round < 3; round++) {
      slow.pause();
      const before = await node.metric('stentor_connections_lagged_total');
      while ((await node.metric('stentor_connections_lagged_total')) === before) {
        for (let i = 0; i < 20; i++) await publishToAll(++count);
      }
      slow.resume();
      await node.untilMetric('stentor_connections_lagging', (lagging) => lagging === 0);
    }
    await publishToAll(++count);
    const seen = (topic: string) =>
      slow.messages
        .flatMap((message) => (message.type === 'batch' && message.topic === topic ? message.items : []))
        .map((item) => (item[2] as { n: number }).n);
    await slow.until('the end of every topic', () => topics.every((topic) => seen(topic).at(-1) === count));
    for (const topic of topics) {
      const numbers = seen(topic);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      const told = slow.messages.reduce(
        (sum, message) => sum + (message.type === 'lagged' && message.topic === topic ? message.skipped : 0),
        0,
      );
      expect(told).toBeGreaterThanOrEqual(count - numbers.length);
    }
  });

  it('in a rate class gets the latest of every key, also with policy replay', async () => {
    const node = await start();
    const feed = new Feed(node, 'replay.a', 60_000);
    const slow = await node.connect({ encoding: 'msgpack' });
    const tracker = slow.track(feed.topic);
    await slow.subscribe(feed.topic, { maxRateHz: 20 });
    slow.pause();
    // A flush of the class holds one item: many keys make it large.
    expect(tracker.gaps).toBe(0);
    await feed.publish(50);
    slow.resume();
    await reached(slow, feed);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
    expect(tracker.items.length + tracker.conflated).toBe(feed.count);
  });
});

describe('while a connection lags', () => {
  it('gets the answers to its commands later', async () => {
    const node = await start();
    const feed = new Feed(node, 'replay.a');
    const { slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun();
    const answers = [
      slow.ask({ type: 'history', topic: feed.topic, last: 2 }),
      slow.ask({ type: 'subscribe', topic: 'skip.other' }),
      slow.ask({ type: 'unsubscribe', topic: 'skip.nowhere' }),
    ];
    slow.send({ type: 'ping', t: 7 });
    await node.untilMetric('stentor_messages_in_total', (count) => count === 1, { type: 'ping' });
    slow.resume();
    expect(await Promise.all(answers)).toMatchObject([
      { type: 'history' },
      { type: 'subscribed' },
      { type: 'error', code: 'not_subscribed' },
    ]);
    expect(await slow.next('pong')).toMatchObject({ t: 7 });
    await node.publish('skip.other', 'first');
    await slow.next('batch', ({ topic }) => topic === 'skip.other');
    await reached(slow, feed);
    expect(numbersOf(slow, feed.topic)).toEqual(upTo(feed.count));
  });

  it('answers past sendBufferLimitBytes close it with 4103', async () => {
    // A busy machine does not read the pings as fast as they come: they may wait.
    const node = await start({ 'limits.sendBufferLimitBytes': 131_072, 'tuning.commands.unreadBytesPerConnectionMax': 8_388_608 });
    const feed = new Feed(node, 'replay.a');
    const { slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun();
    // Twice the bound, and less than the rate allows: the kernel takes some of it.
    for (let t = 0; t < 9000; t++) slow.send({ type: 'ping', t });
    await node.untilMetric('stentor_connections_closed_total', (times) => times === 1, { code: '4103' });
    expect(await node.metric('stentor_connections_too_slow_total')).toBe(1);
  });

  it('its topics stay open for it, and close when it leaves', async () => {
    const node = await start();
    const feed = new Feed(node, 'replay.a');
    const slow = await node.connect({ encoding: 'msgpack' });
    await slow.subscribe(feed.topic);
    await slow.subscribe('skip.b');
    slow.pause();
    await feed.overrun();
    expect(await node.metric('stentor_topics')).toBe(2);
    slow.send({ type: 'unsubscribe', id: 1, topic: feed.topic });
    await node.untilMetric('stentor_topics', (open) => open === 1);
    await slow.close();
    await node.untilMetric('stentor_topics', (open) => open === 0);
    expect(await node.metric('stentor_connections_lagging')).toBe(0);
  });

  it('another rate is granted, and nothing that it missed is lost', async () => {
    const node = await start();
    const feed = new Feed(node, 'conflate.a');
    const { fast, slow } = await pair(node, feed.topic);
    slow.pause();
    await feed.overrun();
    const answer = slow.subscribe(feed.topic, { maxRateHz: 10 });
    await node.untilMetric('stentor_messages_in_total', (count) => count === 3, { type: 'subscribe' });
    await feed.publish(100);
    slow.resume();
    expect(await answer).toMatchObject({ rateHz: 10, recovered: true, items: [] });
    await Promise.all([reached(fast, feed), reached(slow, feed)]);
    const tracker = slow.track(feed.topic);
    expect(tracker.gaps).toBe(0);
    expect(new Map([...tracker.state].sort())).toEqual(new Map([...fast.track(feed.topic).state].sort()));
    expect(tracker.items.length + tracker.conflated).toBeGreaterThanOrEqual(feed.count);
  });

  it('with echo: false does not get its own publications when it catches up', async () => {
    const node = await start();
    const feed = new Feed(node, 'chat.a');
    const slow = await node.connect({ encoding: 'msgpack', token: await tokenOf() });
    const tracker = slow.track(feed.topic);
    await slow.subscribe(feed.topic, { echo: false });
    slow.pause();
    await feed.overrun();
    for (let i = 0; i < 5; i++) slow.send({ type: 'publish', id: i, topic: feed.topic, data: { n: -1 } });
    await node.untilMetric('stentor_publications_in_total', (count) => count === feed.count + 5);
    await feed.publish(5);
    slow.resume();
    await slow.until('the end', () => tracker.last === feed.count + 5);
    expect(tracker).toMatchObject({ gaps: 0, covered: 5 });
    expect(numbersOf(slow, feed.topic)).toEqual(upTo(feed.count));
  });
});

describe('connections that fall behind repeatedly, in several topics', () => {
  it('end with everything that each topic’s policy owes them', async () => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 64 });
    const feeds = [new Feed(node, 'replay.a'), new Feed(node, 'conflate.b'), new Feed(node, 'chat.c', 500)];
    const slow = await Promise.all([1, 2, 3].map(() => node.connect({ encoding: 'msgpack' })));
    const fast = await node.connect({ encoding: 'msgpack' });
    for (const client of [...slow, fast]) {
      for (const { topic } of feeds) {
        client.track(topic);
        await client.subscribe(topic);
      }
    }
    for (let round = 0; round < 8; round++) {
      const client = slow[round % slow.length] as TestClient;
      client.pause();
      do await Promise.all(feeds.map((feed) => feed.publish(60)));
      while ((await node.metric('stentor_connections_lagging')) === 0);
      client.resume();
      // It falls behind once more before it has caught up.
      if (round % 2 === 0) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        client.pause();
        await Promise.all(feeds.map((feed) => feed.publish(60)));
        client.resume();
      }
    }
    for (const client of [...slow, fast]) {
      for (const feed of feeds) {
        await reached(client, feed);
        const tracker = client.track(feed.topic);
        expect(tracker, feed.topic).toMatchObject({ gaps: 0, resyncs: [] });
        expect(new Map([...tracker.state].sort())).toEqual(new Map([...fast.track(feed.topic).state].sort()));
        if (!feed.topic.startsWith('conflate')) expect(numbersOf(client, feed.topic)).toEqual(upTo(feed.count));
      }
    }
    await node.untilMetric('stentor_connections_lagging', (count) => count === 0);
  });
});
