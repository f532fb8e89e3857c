import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  scores: { public: true },
  brief: { public: true, history: { maxCount: 50 } },
  ticks: { public: true, state: 'keyed' },
};

let server: NatsServer;
const nodes: TestNode[] = [];
let nextTopic = 1;

beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': server.url, ...settings });
  nodes.push(node);
  return node;
}

async function restart(node: TestNode, settings: Record<string, unknown> = {}): Promise<TestNode> {
  nodes.splice(nodes.indexOf(node), 1);
  await node.stop();
  return start(settings);
}

/** All at once; their data is their number. @returns the offset of each */
async function publishMany(node: TestNode, topic: string, from: number, count: number): Promise<number[]> {
  const acks = await Promise.all(Array.from({ length: count }, (_, i) => node.publish(topic, from + i)));
  return acks.map(({ offset }) => offset);
}

/** Publishes one after the other until told to stop. */
function feed(node: TestNode, topic: string, from: number): () => Promise<number> {
  let ended = false;
  const running = (async () => {
    let n = from;
    for (; !ended; n++) await node.publish(topic, n);
    return n;
  })();
  return () => {
    ended = true;
    return running;
  };
}

async function connectMany(node: TestNode, count: number): Promise<TestClient[]> {
  const clients: TestClient[] = [];
  for (let left = count; left > 0; left -= 100) {
    clients.push(...(await Promise.all(Array.from({ length: Math.min(left, 100) }, () => node.connect({ encoding: 'msgpack' })))));
  }
  return clients;
}

const epochOf = async (node: TestNode, topic: string) => (await (await node.connect()).subscribe(topic)).epoch;
const logReads = (node: TestNode) => node.metric('stentor_log_reads_total', { kind: 'recovery' });
const newTopic = (namespace: string) => `${namespace}.t${nextTopic++}`;

describe('a storm of clients that come back to a topic after their node was restarted', () => {
  it('costs the log at most two reads, and each client gets all that it missed, in order, while the feed continues', async () => {
    const topic = newTopic('scores');
    let node = await start();
    const epoch = await epochOf(node, topic);
    const offsets = await publishMany(node, topic, 0, 600);
    node = await restart(node);
    const endFeed = feed(node, topic, 600);
    const clients = await connectMany(node, 1000);
    await Promise.all(
      clients.map(async (client, i) => {
        const missedFrom = 200 + ((i * 37) % 300);
        const tracker = client.track(topic);
        tracker.last = offsets[missedFrom]!;
        tracker.epoch = epoch;
        expect(await client.subscribe(topic, { since: { epoch, offset: offsets[missedFrom]! } })).toMatchObject({ recovered: true });
        await client.until('live items', () => tracker.items.length > 600 - missedFrom + 5);
        expect(tracker.items.map(({ data }) => data)).toEqual(Array.from(tracker.items, (_, at) => missedFrom + 1 + at));
        expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
      }),
    );
    const count = await endFeed();
    expect(await logReads(node)).toBeLessThanOrEqual(2);
    await Promise.all(clients.map((client) => client.until('the last', () => client.track(topic).state.get(null) === count - 1)));
    expect(await node.metric('stentor_recoveries_total', { from: 'none' })).toBe(0);
  });

  it('costs no more if many have been away for too long, and those get the state', async () => {
    const topic = newTopic('brief');
    let node = await start();
    const epoch = await epochOf(node, topic);
    const offsets = await publishMany(node, topic, 0, 500);
    node = await restart(node);
    const clients = await connectMany(node, 300);
    const answers = await Promise.all(
      clients.map((client, i) => client.subscribe(topic, { since: { epoch, offset: offsets[200 + i - (i % 3)]! } })),
    );
    for (const [i, { recovered, items, offset }] of answers.entries()) {
      const since = 200 + i - (i % 3);
      expect(offset).toBe(offsets[499]);
      // 50 are kept: with the 451st, its successors are whole.
      expect(recovered, `from ${since}`).toBe(since >= 450);
      expect(items.map(([, , data]) => data)).toEqual(recovered ? Array.from({ length: 499 - since }, (_, at) => since + 1 + at) : [499]);
    }
    expect(await logReads(node)).toBeLessThanOrEqual(2);
  });

  it('does not lose a client that has missed more than the limit: it gets the state, and others what they missed', async () => {
    const topic = newTopic('scores');
    const settings = { 'tuning.recovery.recoveryItemsMax': 100 };
    let node = await start(settings);
    const epoch = await epochOf(node, topic);
    const offsets = await publishMany(node, topic, 0, 1000);
    node = await restart(node, settings);
    const [far, near] = await connectMany(node, 2);
    const [one, two] = await Promise.all([
      far!.subscribe(topic, { since: { epoch, offset: offsets[10]! } }),
      near!.subscribe(topic, { since: { epoch, offset: offsets[950]! } }),
    ]);
    expect(one).toMatchObject({ recovered: false, items: [[offsets[999], null, 999]] });
    expect(two.recovered).toBe(true);
    expect(two.items.map(([, , data]) => data)).toEqual(Array.from({ length: 49 }, (_, i) => 951 + i));
  });

  it('of a keyed topic costs no read at all: the state that opens it has every key that changed', async () => {
    const topic = newTopic('ticks');
    let node = await start();
    const { epoch } = await (await node.connect()).subscribe(topic);
    const offsets: number[] = [];
    for (let i = 0; i < 60; i++) offsets.push((await node.publish(topic, i, { key: `k${i % 6}` })).offset);
    node = await restart(node);
    const clients = await connectMany(node, 200);
    await Promise.all(
      clients.map(async (client, i) => {
        const since = 20 + (i % 40);
        const answer = await client.subscribe(topic, { since: { epoch, offset: offsets[since]! } });
        expect(answer.recovered).toBe(true);
        const expected = Array.from({ length: 6 }, (_, at) => 54 + at).filter((n) => n > since);
        expect(answer.items.map(([, , data]) => data)).toEqual(expected);
      }),
    );
    expect(await node.metric('stentor_log_reads_total')).toBe(0);
  });
});

describe('a worker that has forgotten a topic', () => {
  it('has its clients’ past from the hub, which lingers, without a read of the log', async () => {
    const topic = newTopic('scores');
    const node = await start();
    const before = await node.connect();
    const { epoch } = await before.subscribe(topic);
    const offsets = await publishMany(node, topic, 0, 300);
    before.track(topic);
    await before.until('all', () => before.track(topic).items.length === 300);
    await before.close();
    await node.untilMetric('stentor_connections', (connections) => connections === 0);
    const client = await node.connect();
    const answer = await client.subscribe(topic, { since: { epoch, offset: offsets[99]! } });
    expect(answer.recovered).toBe(true);
    expect(answer.items.map(([, , data]) => data)).toEqual(Array.from({ length: 200 }, (_, i) => 100 + i));
    expect(await node.metric('stentor_log_reads_total')).toBe(0);
    expect(await node.metric('stentor_recoveries_total', { from: 'hub' })).toBe(1);
    const page = await client.get('history', { type: 'history', topic, since: { epoch, offset: offsets[49]! }, limit: 20 });
    expect(page).toMatchObject({ complete: true, more: true, offset: offsets[69] });
    expect((await client.get('history', { type: 'history', topic, last: 5 })).items.map(([, , data]) => data)).toEqual([
      295, 296, 297, 298, 299,
    ]);
    expect(await node.metric('stentor_log_reads_total')).toBe(0);
  });
});

describe('a client with several topics to recover', () => {
  it('gets one large answer after the other, and does not count as a slow reader', async () => {
    const settings = { 'limits.sendBufferLimitBytes': 1_048_576 };
    let node = await start(settings);
    const topics = Array.from({ length: 6 }, () => newTopic('scores'));
    const since = new Map<string, { epoch: string; offset: number }>();
    for (const topic of topics) {
      const { epoch, offset } = await (await node.connect()).subscribe(topic);
      since.set(topic, { epoch, offset });
      await Promise.all(Array.from({ length: 30 }, (_, i) => node.publish(topic, `${i} ${'x'.repeat(30_000)}`)));
    }
    node = await restart(node, settings);
    const client = await node.connect();
    const trackers = topics.map((topic) => client.track(topic));
    const answers = await Promise.all(
      topics.map((topic) => client.get('subscribed', { type: 'subscribe', topic, since: since.get(topic)! })),
    );
    for (const [i, { recovered, items, offset, upTo }] of answers.entries()) {
      // Each item is larger than a frame, so all are behind it.
      expect({ recovered, count: items.length, offset }).toEqual({ recovered: true, count: 0, offset: since.get(topics[i]!)!.offset });
      expect(upTo).toBeGreaterThan(offset);
    }
    await until('all of it', () => trackers.every(({ items }) => items.length === 30));
    expect(trackers.map(({ gaps, duplicates, last }, i) => ({ gaps, duplicates, isAtEnd: last === answers[i]!.upTo }))).toEqual(
      topics.map(() => ({ gaps: 0, duplicates: 0, isAtEnd: true })),
    );
    await client.settle();
  });
});
