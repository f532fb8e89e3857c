import { afterEach, describe, expect, it } from 'vitest';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  scores: { public: true },
  ticks: { public: true, state: 'keyed', history: { maxCount: 1000 } },
  live: { public: true, durable: false },
  brief: { public: true, history: { maxCount: 10 } },
};

const nodes: TestNode[] = [];
async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, 'tuning.hub.topicLingerMs': 0, ...settings });
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function publishMany(node: TestNode, topic: string, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await node.publish(topic, n);
}

/** A keyed feed that runs until stopped, as fast as the loop lets others work too; some keys go now and then. */
function startTicks(node: TestNode, topic: string, keys: number) {
  const truth = new Map<string, unknown>();
  let n = 0;
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      const round = [];
      for (let i = 0; i < 20; i++) {
        const key = `K${(n * 7) % keys}`;
        const gone = n % 11 === 10;
        if (gone) truth.delete(key);
        else truth.set(key, n);
        round.push(node.publish(topic, gone ? null : n, { key }));
        n++;
      }
      await Promise.all(round);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  return {
    truth,
    stop: async () => {
      stopped = true;
      await running;
      return n;
    },
  };
}

const dataOf = ({ items }: ServerMessage<'subscribed' | 'history' | 'batch'>) => items.map(([, , data]) => data);

const valuesOf = ({ messages }: TestClient) =>
  messages.flatMap((message) => (message.type === 'batch' ? message.items.map(([, , value]) => value) : []));

describe('subscribe', () => {
  it("starts with the next publication, and has the topic's position", async () => {
    const node = await start();
    await publishMany(node, 'scores.a', 1, 3);
    const client = await node.connect();
    const subscribed = await client.subscribe('scores.a');
    expect(subscribed).toMatchObject({ topic: 'scores.a', epoch: expect.stringMatching(/.+/), offset: 3, recovered: false, items: [] });
    await node.publish('scores.a', 4);
    const batch = await client.next('batch');
    expect(batch).toMatchObject({ topic: 'scores.a', epoch: subscribed.epoch, prev: 3, items: [[4, null, 4]] });
    expect(Math.abs(batch.sentAtMs - Date.now())).toBeLessThan(10_000);
  });

  it('with a snapshot starts with the latest item of an unkeyed topic', async () => {
    const node = await start();
    await publishMany(node, 'scores.a', 1, 3);
    const client = await node.connect();
    expect(dataOf(await client.subscribe('scores.a', { snapshot: true }))).toEqual([3]);
    expect(dataOf(await client.subscribe('scores.empty', { snapshot: true }))).toEqual([]);
  });

  it('with a snapshot of a keyed topic meets the stream with no gap and no repetition, however fast the feed runs', async () => {
    const node = await start();
    const feed = startTicks(node, 'ticks.fast', 60);
    const clients: TestClient[] = [];
    for (let i = 0; i < 12; i++) {
      const client = await node.connect({ encoding: i % 2 === 0 ? 'msgpack' : 'json' });
      const tracker = client.track('ticks.fast');
      const { items } = await client.subscribe('ticks.fast', { snapshot: true });
      expect(new Set(items.map(([, key]) => key)).size).toBe(items.length);
      clients.push(client);
      await client.until('some of the stream', () => tracker.items.length > items.length + 50);
    }
    const total = await feed.stop();
    for (const client of clients) {
      const tracker = client.track('ticks.fast');
      await client.until('the end', () => tracker.last === total);
      expect(tracker).toMatchObject({ gaps: 0, duplicates: 0, conflated: 0 });
      expect(new Map([...tracker.state].sort())).toEqual(new Map([...feed.truth].sort()));
    }
  });

  it('to an ephemeral topic has no positions', async () => {
    const node = await start();
    const client = await node.connect();
    expect(await client.subscribe('live.a')).toMatchObject({ epoch: '', offset: 0, recovered: false, items: [] });
    await node.publish('live.a', 1);
    expect(await client.next('batch')).toMatchObject({ prev: 0, items: [[0, null, 1]] });
    expect(await client.subscribe('live.b', { since: { epoch: '', offset: 0 } })).toMatchObject({ recovered: false, items: [] });
  });

  it('to an ephemeral topic begins now, even if a rate class still has to send earlier ones to others', async () => {
    const node = await start();
    const other = await node.connect();
    await other.subscribe('live.a', { maxRateHz: 1 });
    const client = await node.connect();
    await client.subscribe('live.a');
    // The first leaves at once; the second waits for the rate class's next second.
    for (const n of [0, 1]) {
      await node.publish('live.a', n);
      await client.until(`item ${n}`, () => valuesOf(client).includes(n));
    }
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'live.a' });
    await client.subscribe('live.a', { maxRateHz: 1 });
    await other.until('item 1', () => valuesOf(other).includes(1));
    await client.settle();
    expect(valuesOf(client)).toEqual([0, 1]);
  });

  it('ends with unsubscribe', async () => {
    const node = await start();
    const client = await node.connect();
    await client.subscribe('scores.a');
    await client.subscribe('scores.b');
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'scores.a' });
    await node.publish('scores.a', 1);
    await node.publish('scores.b', 2);
    expect(await client.next('batch')).toMatchObject({ topic: 'scores.b' });
    await client.settle();
    expect(client.messages.filter(({ type }) => type === 'batch')).toHaveLength(1);
    await node.untilMetric('stentor_topics', (open) => open === 1);
  });
});

describe('since', () => {
  /** A topic with 200 publications of its own, at every other offset, and a subscriber that keeps it open or not. */
  async function history(node: TestNode, open: boolean): Promise<string> {
    const keeper = await node.connect();
    if (open) await keeper.subscribe('scores.a');
    for (let n = 1; n <= 200; n++) {
      await node.publish('scores.a', n);
      await node.publish('scores.other', -n);
    }
    const { epoch } = await keeper.subscribe('scores.b');
    return epoch;
  }

  it.each([
    ['the ring', { open: true, ring: 4096 }],
    ['the log, where the ring is too short', { open: true, ring: 16 }],
    ['the log, if the topic had no subscriber', { open: false, ring: 4096 }],
  ])('brings back everything after the position from %s', async (_, { open, ring }) => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': ring });
    const epoch = await history(node, open);
    for (const [offset, first] of [
      [1, 2],
      [2, 2],
      [199, 101],
      [397, 200],
    ] as const) {
      const client = await node.connect({ encoding: 'msgpack' });
      const tracker = client.track('scores.a');
      tracker.last = offset;
      const subscribed = await client.subscribe('scores.a', { since: { epoch, offset } });
      expect(subscribed.recovered).toBe(true);
      expect(dataOf(subscribed)).toEqual(Array.from({ length: 201 - first }, (__, i) => first + i));
      await node.publish('scores.other', 0);
      expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
    }
    const current = await node.connect();
    expect(await current.subscribe('scores.a', { since: { epoch, offset: 399 } })).toMatchObject({ recovered: true, items: [] });
  });

  it.each([4096, 16])('meets the stream while the feed runs, with a ring of %i', async (ring) => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': ring });
    const keeper = await node.connect();
    const { epoch } = await keeper.subscribe('scores.a');
    let n = 0;
    let stopped = false;
    const feed = (async () => {
      while (!stopped) {
        await Promise.all(Array.from({ length: 10 }, () => node.publish('scores.a', ++n)));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await keeper.until('a beginning', () => n > 500);
    const clients: TestClient[] = [];
    for (let i = 0; i < 10; i++) {
      const client = await node.connect({ encoding: 'msgpack' });
      const tracker = client.track('scores.a');
      tracker.last = 100 + i;
      const subscribed = await client.subscribe('scores.a', { since: { epoch, offset: 100 + i } });
      expect(subscribed.recovered).toBe(true);
      clients.push(client);
    }
    stopped = true;
    await feed;
    for (const [i, client] of clients.entries()) {
      const tracker = client.track('scores.a');
      await client.until('the end', () => tracker.last === n);
      expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
      expect(tracker.items.map(({ data }) => data)).toEqual(Array.from({ length: n - 100 - i }, (_, k) => 101 + i + k));
    }
  });

  it.each([
    ['no worker holds the topic', { held: false }],
    ['somebody holds the topic, and its ring has the offset', { held: true }],
    ['somebody holds the topic, and only the log has the offset', { held: true, 'tuning.recent.itemsPerTopicMax': 16 }],
  ])('of another epoch starts from the state, where %s', async (_, { held, ...settings }) => {
    const node = await start(settings);
    const keeper = await node.connect();
    if (held) await Promise.all(['scores.a', 'ticks.a'].map((topic) => keeper.subscribe(topic)));
    await publishMany(node, 'scores.a', 1, 50);
    for (let n = 1; n <= 50; n++) await node.publish('ticks.a', n, { key: `K${n % 2}` });
    const client = await node.connect();
    for (const offset of [2, 30, 49, 50, 51]) {
      const since = { epoch: 'another', offset };
      const { epoch, ...answer } = await client.subscribe('scores.a', { since });
      expect(answer).toMatchObject({ recovered: false, offset: 50, items: [[50, null, 50]] });
      expect(epoch).not.toBe('another');
      expect(await client.subscribe('ticks.a', { since })).toMatchObject({
        recovered: false,
        offset: 50,
        items: [
          [49, 'K1', 49],
          [50, 'K0', 50],
        ],
      });
      expect(await client.get('history', { type: 'history', topic: 'scores.a', since })).toMatchObject({ complete: false, items: [] });
      // The position of this epoch is recovered all the same.
      expect(await client.subscribe('scores.a', { since: { epoch, offset: 49 } })).toMatchObject({
        recovered: true,
        items: [[50, null, 50]],
      });
    }
  });

  it('from before the start of the log starts from the state: recovery is all or nothing', async () => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 16 });
    const keeper = await node.connect();
    const { epoch } = await keeper.subscribe('brief.a');
    await publishMany(node, 'brief.a', 1, 100);
    const client = await node.connect();
    expect(await client.subscribe('brief.a', { since: { epoch, offset: 50 } })).toMatchObject({
      recovered: false,
      offset: 100,
      items: [[100, null, 100]],
    });
    // Its anchor is still in the log.
    expect(dataOf(await client.subscribe('brief.a', { since: { epoch, offset: 91 } }))).toEqual([92, 93, 94, 95, 96, 97, 98, 99, 100]);
  });

  it('at an offset without a publication of the topic, up to the end of the log, continues from there', async () => {
    const node = await start();
    await publishMany(node, 'scores.a', 1, 5);
    await publishMany(node, 'scores.b', 1, 5);
    const client = await node.connect();
    const { epoch } = await client.subscribe('scores.b');
    expect(await client.subscribe('scores.a', { since: { epoch, offset: 9 } })).toMatchObject({ recovered: true, offset: 9, items: [] });
    await node.publish('scores.a', 6);
    const tracker = client.track('scores.a');
    await client.until('the next', () => tracker.last === 11);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
  });

  it('and with a snapshot is the same: since decides, also of a second subscribe', async () => {
    const node = await start();
    await publishMany(node, 'scores.a', 1, 3);
    await publishMany(node, 'brief.a', 1, 20);
    const client = await node.connect();
    const { epoch } = await client.subscribe('scores.a');
    for (const round of ['another client', 'the same again']) {
      const one = round === 'another client' ? await node.connect() : client;
      const whole = await one.subscribe('scores.a', { since: { epoch, offset: 1 }, snapshot: true });
      expect([whole.recovered, dataOf(whole)], round).toEqual([true, [2, 3]]);
      const gone = await one.subscribe('brief.a', { since: { epoch: 'bogus', offset: 1 }, snapshot: true });
      expect([gone.recovered, dataOf(gone)], round).toEqual([false, [20]]);
    }
  });

  it('ahead of the log starts from the state', async () => {
    const node = await start();
    await publishMany(node, 'scores.a', 1, 5);
    const client = await node.connect();
    const { epoch } = await client.subscribe('scores.b');
    expect(await client.subscribe('scores.a', { since: { epoch, offset: 1000 } })).toMatchObject({ recovered: false, offset: 5 });
  });

  it('of a keyed topic recovers the latest of every key that changed, and the removed keys', async () => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 16 });
    const client = await node.connect();
    const { epoch } = await client.subscribe('ticks.other');
    for (let n = 1; n <= 100; n++) await node.publish('ticks.a', n, { key: `K${n % 5}` });
    await node.publish('ticks.a', null, { key: 'K2' });
    const recovered = await client.subscribe('ticks.a', { since: { epoch, offset: 97 } });
    expect(recovered).toMatchObject({
      recovered: true,
      offset: 101,
      items: [
        [98, 'K3', 98],
        [99, 'K4', 99],
        [100, 'K0', 100],
        [101, 'K2', null, { removed: true }],
      ],
    });
    const tracker = client.track('ticks.a');
    await node.publish('ticks.a', 'next', { key: 'K1' });
    await client.until('the next', () => tracker.last === 102);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
  });

  it('of an existing subscription repairs what the client lost', async () => {
    const node = await start();
    const client = await node.connect();
    const { epoch } = await client.subscribe('scores.a');
    await publishMany(node, 'scores.a', 1, 5);
    const again = await client.subscribe('scores.a', { since: { epoch, offset: 2 } });
    expect(again).toMatchObject({ recovered: true, offset: 5 });
    expect(dataOf(again)).toEqual([3, 4, 5]);
    await node.publish('scores.a', 6);
    await client.next('batch', ({ prev }) => prev === 5);
  });
});

describe('a rate class', () => {
  it('has the granted rate, which is not above the requested one', async () => {
    const node = await start();
    const client = await node.connect();
    for (const [maxRateHz, rateHz] of [
      [1000, 100],
      [20, 20],
      [19.9, 10],
      [3, 2],
      [0.3, 0.2],
      [0.01, 0.1],
    ] as const) {
      expect(await client.subscribe('ticks.a', { maxRateHz })).toMatchObject({ rateHz });
    }
    expect(await client.subscribe('ticks.a')).not.toHaveProperty('rateHz');
  });

  it('gets the latest of every key on its own timer, is told what was left out, and ends equal to all others', async () => {
    const node = await start();
    const [calm, whole] = await Promise.all([node.connect({ encoding: 'msgpack' }), node.connect()]);
    const [calmTracker, wholeTracker] = [calm.track('ticks.a'), whole.track('ticks.a')];
    await calm.subscribe('ticks.a', { snapshot: true, maxRateHz: 10 });
    await whole.subscribe('ticks.a', { snapshot: true });
    const feed = startTicks(node, 'ticks.a', 20);
    await calm.until('five batches', () => calm.messages.filter(({ type }) => type === 'batch').length >= 5);
    const total = await feed.stop();
    await Promise.all([calm.until('the end', () => calmTracker.last === total), whole.until('the end', () => wholeTracker.last === total)]);
    expect(calmTracker).toMatchObject({ gaps: 0, duplicates: 0 });
    expect(new Map([...calmTracker.state].sort())).toEqual(new Map([...wholeTracker.state].sort()));
    expect(wholeTracker.items.length).toBe(total);
    // Every publication either came or was counted.
    expect(calmTracker.items.length + calmTracker.conflated).toBe(total);
    expect(calmTracker.items.length).toBeLessThan(total / 2);
  });

  it('starts over from the state if it is changed after the ring has evicted what lies between', async () => {
    const node = await start({ 'tuning.recent.itemsPerTopicMax': 16 });
    const client = await node.connect();
    await client.subscribe('ticks.a', { maxRateHz: 0.5 });
    // The first batch of a rate class may leave at once; what comes after it waits for two seconds.
    await node.publish('ticks.a', 1, { key: 'K' });
    await client.next('batch');
    for (let n = 2; n <= 50; n++) await node.publish('ticks.a', n, { key: `K${n % 2}` });
    const changed = await client.get('subscribed', { type: 'subscribe', topic: 'ticks.a' });
    expect(changed).toMatchObject({ recovered: false, offset: 50 });
    expect(dataOf(changed)).toEqual([1, 49, 50]);
  });

  it('is changed by another subscribe, which loses nothing', async () => {
    const node = await start();
    const client = await node.connect({ encoding: 'msgpack' });
    const tracker = client.track('ticks.a');
    await client.subscribe('ticks.a', { snapshot: true });
    const feed = startTicks(node, 'ticks.a', 20);
    for (const maxRateHz of [20, 2, undefined, 10, 20, undefined]) {
      const subscribed = await client.subscribe('ticks.a', maxRateHz === undefined ? {} : { maxRateHz });
      expect(subscribed.recovered).toBe(true);
      const batches = () => client.messages.filter(({ type }) => type === 'batch').length;
      const seen = batches();
      await client.until('two batches at this rate', () => batches() >= seen + 2);
    }
    const total = await feed.stop();
    await client.until('the end', () => tracker.last === total);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
    expect(new Map([...tracker.state].sort())).toEqual(new Map([...feed.truth].sort()));
    expect(tracker.items.length + tracker.conflated).toBe(total);
  });
});

describe('history', () => {
  it('returns the last publications, oldest first', async () => {
    const node = await start();
    await publishMany(node, 'scores.a', 1, 150);
    const client = await node.connect();
    const last = await client.get('history', { type: 'history', topic: 'scores.a', last: 3 });
    expect(last).toMatchObject({ topic: 'scores.a', offset: 150, complete: true, more: false });
    expect(dataOf(last)).toEqual([148, 149, 150]);
    expect(dataOf(await client.get('history', { type: 'history', topic: 'scores.a' }))).toHaveLength(100);
    expect(dataOf(await client.get('history', { type: 'history', topic: 'scores.empty', last: 5 }))).toEqual([]);
  });

  it('returns what followed a position, page by page', async () => {
    const node = await start();
    await publishMany(node, 'scores.a', 1, 250);
    const client = await node.connect({ encoding: 'msgpack' });
    let { epoch, offset } = await client.subscribe('scores.a');
    offset = 20;
    const all: unknown[] = [];
    const pages: boolean[] = [];
    for (let more = true; more; ) {
      const page = await client.get('history', { type: 'history', topic: 'scores.a', since: { epoch, offset }, limit: 100 });
      expect(page.complete).toBe(true);
      all.push(...dataOf(page));
      ({ epoch, offset, more } = page);
      pages.push(more);
    }
    expect(all).toEqual(Array.from({ length: 230 }, (_, i) => 21 + i));
    expect(pages).toEqual([true, true, false]);
  });

  it('of a keyed topic returns the latest of every key that changed, page by page', async () => {
    const node = await start();
    for (let n = 1; n <= 100; n++) await node.publish('ticks.a', n, { key: `K${n % 10}` });
    const client = await node.connect();
    const { epoch } = await client.subscribe('ticks.a');
    const page = (offset: number) => client.get('history', { type: 'history', topic: 'ticks.a', since: { epoch, offset }, limit: 4 });
    const first = await page(92);
    expect(first).toMatchObject({ complete: true, more: true, offset: 96 });
    expect(dataOf(first)).toEqual([93, 94, 95, 96]);
    const second = await page(first.offset);
    expect(second).toMatchObject({ complete: true, more: false, offset: 100 });
    expect(dataOf(second)).toEqual([97, 98, 99, 100]);
  });

  it('is not complete from before the start of the log, or from another epoch', async () => {
    const node = await start();
    await publishMany(node, 'brief.a', 1, 100);
    const client = await node.connect();
    const { epoch } = await client.subscribe('brief.a');
    const since = (position: { epoch: string; offset: number }) =>
      client.get('history', { type: 'history', topic: 'brief.a', since: position });
    expect(await since({ epoch, offset: 50 })).toMatchObject({ complete: false });
    expect(await since({ epoch, offset: 95 })).toMatchObject({ complete: true, offset: 100 });
    expect(await since({ epoch: 'another', offset: 95 })).toMatchObject({ complete: false, epoch, items: [] });
  });

  it('needs a permission where the namespace is not public', async () => {
    const node = await start({ namespaces: { closed: {} } });
    await publishMany(node, 'closed.a', 1, 3);
    const reader = await node.connect({ encoding: 'json', token: await tokenOf({ subscribe: ['closed.a'] }) });
    expect(dataOf(await reader.get('history', { type: 'history', topic: 'closed.a' }))).toEqual([1, 2, 3]);
    expect(await reader.ask({ type: 'history', topic: 'closed.b' })).toMatchObject({ code: 'forbidden' });
  });

  it('of large publications is sent in pages of limited size, and never ends a worker’s link', async () => {
    const node = await start({ 'limits.messagesPerSecondMax': 1000 });
    const large = 'x'.repeat(60_000);
    for (let n = 0; n < 300; n++) await node.publish('scores.a', `${n} ${large}`);
    const client = await node.connect({ encoding: 'msgpack' });
    const { epoch } = await client.subscribe('scores.b');
    let offset = 0;
    let count = 0;
    let pages = 0;
    for (let more = true; more; pages++) {
      const page = await client.get('history', { type: 'history', topic: 'scores.a', since: { epoch, offset }, limit: 10_000 });
      expect(page.complete).toBe(true);
      count += page.items.length;
      ({ offset, more } = page);
    }
    expect(count).toBe(300);
    expect(pages).toBeGreaterThan(2);
    const last = await client.get('history', { type: 'history', topic: 'scores.a', last: 300 });
    expect(last.items.length).toBeGreaterThan(10);
    expect(last.items.at(-1)?.[0]).toBe(300);
    // Too much for one answer: the state instead.
    expect(await client.subscribe('scores.a', { since: { epoch, offset: 1 } })).toMatchObject({ recovered: false, offset: 300 });
  });
});
