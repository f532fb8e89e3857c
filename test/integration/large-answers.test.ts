import { afterEach, describe, expect, it } from 'vitest';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { TestClient } from '../support/test-client.ts';

const KEYS = 1000;
const VALUE_BYTES = 300;
/** Foreign clients refuse more by default: Go's with 32 KiB. Ours is half of that. */
const FRAME_BYTES_MAX = 16 * 1024;
const ENCODINGS = ['msgpack', 'json'] as const;

const nodes: TestNode[] = [];
const proxies: TestProxy[] = [];

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const history = { maxCount: 1000 };
  const node = await TestNode.start({
    namespaces: {
      ticks: { public: true, state: 'keyed', slowConsumer: 'conflate', history },
      every: { public: true, state: 'keyed', slowConsumer: 'replay', history },
      strict: { public: true, state: 'keyed', slowConsumer: 'close', history },
      live: { public: true, state: 'keyed', durable: false },
      scores: { public: true, clientPublish: true },
    },
    'limits.messagesPerSecondMax': 10_000,
    // Clients that are paused on purpose answer no pings.
    'heartbeat.pingIntervalMs': 600_000,
    ...settings,
  });
  nodes.push(node);
  return node;
}

async function proxyTo(node: TestNode): Promise<TestProxy> {
  const proxy = await TestProxy.start(node.running.port);
  proxies.push(proxy);
  return proxy;
}

afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.stop();
  for (const node of nodes.splice(0)) await node.stop();
});

const value = (n: number, bytes = VALUE_BYTES) => ({ n, pad: 'x'.repeat(bytes) });

/** A state of so many keys, `k0` and so on, whose values are their numbers. */
async function fill(node: TestNode, topic: string, keys = KEYS, bytes = VALUE_BYTES): Promise<void> {
  for (let n = 0; n < keys; n++) await node.publish(topic, value(n, bytes), { key: `k${n}` });
}

/** The latest number of each key, as the client has it. */
function stateOf(client: TestClient, topic: string): Map<string | null, number> {
  return new Map([...client.track(topic).state].map(([key, data]) => [key, data.n as number]));
}

const wholeState = (keys = KEYS) => new Map(Array.from({ length: keys }, (_, n) => [`k${n}`, n]));
const has = (client: TestClient, topic: string, offset: number) =>
  client.until(`offset ${offset}`, () => client.track(topic).last >= offset);
const partsOf = (client: TestClient, topic: string) =>
  client.messages.filter((message): message is ServerMessage<'batch'> => message.type === 'batch' && message.topic === topic);

describe('a state that is larger than a frame', () => {
  it.each(ENCODINGS)('comes in frames of the usual size, in %s, and the stream goes on behind it', async (encoding) => {
    const node = await start();
    await fill(node, 'ticks.a');
    // A client that takes no larger frame is closed by its own library.
    const client = await node.connect({ encoding, socket: { maxPayload: FRAME_BYTES_MAX } });
    client.track('ticks.a');
    const subscribed = await client.get('subscribed', { type: 'subscribe', topic: 'ticks.a', snapshot: true });
    expect(subscribed).toMatchObject({ recovered: false, upTo: KEYS });
    expect(subscribed.offset).toBe(subscribed.items.at(-1)?.[0]);
    expect(subscribed.offset).toBeLessThan(KEYS);
    await has(client, 'ticks.a', KEYS);
    await node.publish('ticks.a', value(-1), { key: 'k0' });
    await has(client, 'ticks.a', KEYS + 1);
    expect(stateOf(client, 'ticks.a')).toEqual(wholeState().set('k0', -1));
    expect(client.track('ticks.a')).toMatchObject({ gaps: 0, duplicates: 0, lagged: [], resyncs: [] });
    expect(await node.metric('stentor_connections_lagged_total')).toBe(0);
    await node.untilMetric('stentor_connections_lagging', (count) => count === 0);
  });

  it('is whole in one message where it fits one frame', async () => {
    const node = await start();
    await fill(node, 'ticks.a', 40);
    const client = await node.connect({ encoding: 'msgpack' });
    const subscribed = await client.get('subscribed', { type: 'subscribe', topic: 'ticks.a', snapshot: true });
    expect(subscribed.items).toHaveLength(40);
    expect(subscribed.upTo).toBeUndefined();
  });

  it('may have values that are larger than a frame: each has its own frame', async () => {
    const node = await start();
    await fill(node, 'ticks.a', 12, 40_000);
    const client = await node.connect({ encoding: 'msgpack', socket: { maxPayload: 64 * 1024 } });
    client.track('ticks.a');
    await client.subscribe('ticks.a', { snapshot: true });
    expect(stateOf(client, 'ticks.a')).toEqual(wholeState(12));
  });

  it('is deflated on request, in a rate class, and without echo', async () => {
    const node = await start();
    await fill(node, 'ticks.a');
    const client = await node.connect({ encoding: 'msgpack', socket: { maxPayload: FRAME_BYTES_MAX } });
    await client.get('connected', { type: 'connect', compression: 'deflate-raw' });
    client.track('ticks.a');
    const subscribed = await client.get('subscribed', { type: 'subscribe', topic: 'ticks.a', snapshot: true, maxRateHz: 20, echo: false });
    expect(subscribed).toMatchObject({ rateHz: 20, upTo: KEYS });
    await has(client, 'ticks.a', KEYS);
    await node.publish('ticks.a', value(-1), { key: 'k0' });
    await has(client, 'ticks.a', KEYS + 1);
    expect(stateOf(client, 'ticks.a')).toEqual(wholeState().set('k0', -1));
    expect(client.deflatedFrames).toBeGreaterThan(5);
  });

  it('of an ephemeral topic is sent in batches without offsets', async () => {
    const node = await start();
    const first = await node.connect({ encoding: 'msgpack' });
    await first.subscribe('live.a');
    await fill(node, 'live.a');
    const received = () => partsOf(first, 'live.a').reduce((sum, { items }) => sum + items.length, 0);
    await first.until('all of it', () => received() === KEYS);
    const client = await node.connect({ encoding: 'msgpack', socket: { maxPayload: FRAME_BYTES_MAX } });
    const subscribed = await client.get('subscribed', { type: 'subscribe', topic: 'live.a', snapshot: true });
    expect(subscribed).toMatchObject({ epoch: '', offset: 0, recovered: false });
    expect(subscribed.upTo).toBeUndefined();
    const keys = () => [...subscribed.items, ...partsOf(client, 'live.a').flatMap(({ items }) => items)].map(([, key]) => key);
    await client.until('every key', () => keys().length === KEYS);
    expect(new Set(keys()).size).toBe(KEYS);
    await node.publish('live.a', value(-1), { key: 'k0' });
    await client.until('what comes live', () => keys().length === KEYS + 1);
  });

  it('reaches the head of a topic whose last item lies before it', async () => {
    const node = await start();
    await fill(node, 'ticks.a');
    // Too large for its namespace: it is in the log, and no client gets it.
    await node.publish('ticks.a', 'x'.repeat(70_000), { key: 'k0' });
    const client = await node.connect({ encoding: 'msgpack' });
    client.track('ticks.a');
    const { upTo = 0 } = await client.get('subscribed', { type: 'subscribe', topic: 'ticks.a', snapshot: true });
    await has(client, 'ticks.a', upTo);
    await node.publish('ticks.a', value(-1), { key: 'k1' });
    await has(client, 'ticks.a', KEYS + 2);
    expect(client.track('ticks.a')).toMatchObject({ gaps: 0, duplicates: 0 });
  });
});

describe('a state on a slow line', () => {
  /** More than all buffers between the node and a client that does not read, so that its socket counts as full. */
  const MANY = 1500;
  const LARGE_BYTES = 10_000;

  async function slowStart(topic: string) {
    const node = await start();
    await fill(node, topic, MANY, LARGE_BYTES);
    const client = await node.connect({ encoding: 'msgpack' });
    client.track(topic);
    client.pause();
    client.send({ type: 'subscribe', id: 1, topic, snapshot: true });
    await node.untilMetric('stentor_subscriptions_starting', (count) => count === 1);
    return { node, client };
  }

  it.each(['ticks.a', 'every.a', 'strict.a'])('has what changed and what went meanwhile, in %s', async (topic) => {
    const { node, client } = await slowStart(topic);
    for (let n = 0; n < 100; n++) await node.publish(topic, value(-1 - n, 100), { key: `k${n * 10}` });
    await node.publish(topic, null, { key: 'k5' });
    client.resume();
    await has(client, topic, MANY + 101);
    await node.untilMetric('stentor_subscriptions_starting', (count) => count === 0);
    await node.publish(topic, value(7, 100), { key: 'new' });
    await has(client, topic, MANY + 102);
    const expected = wholeState(MANY).set('new', 7);
    for (let n = 0; n < 100; n++) expected.set(`k${n * 10}`, -1 - n);
    expected.delete('k5');
    expect(stateOf(client, topic)).toEqual(expected);
    expect(client.track(topic)).toMatchObject({ gaps: 0, duplicates: 0, resyncs: [] });
  });

  it('lets small answers pass, and other topics begin', async () => {
    const { node, client } = await slowStart('ticks.a');
    client.send({ type: 'subscribe', id: 2, topic: 'scores.a' });
    client.send({ type: 'ping', t: 1 });
    await node.untilMetric('stentor_messages_in_total', (count) => count === 1, { type: 'ping' });
    client.resume();
    await client.next('subscribed', ({ id }) => id === 2);
    await node.publish('scores.a', 'meanwhile');
    await client.next('batch', ({ topic }) => topic === 'scores.a');
    await has(client, 'ticks.a', MANY);
    // In the order of arrival, however fast the machine is.
    const order = client.messages.map((message) =>
      message.type === 'batch' ? message.topic : message.type === 'subscribed' ? message.id : message.type,
    );
    const end = order.lastIndexOf('ticks.a');
    expect(order.indexOf('pong')).toBeLessThan(end);
    expect(order.indexOf(2)).toBeLessThan(end);
  });

  it('continues in another variant if the client subscribes again in between, and ends when it unsubscribes', async () => {
    const { node, client } = await slowStart('ticks.a');
    client.send({ type: 'subscribe', id: 2, topic: 'ticks.a', maxRateHz: 5 });
    client.resume();
    const changed = await client.next('subscribed', ({ id }) => id === 2);
    expect(changed).toMatchObject({ recovered: true, rateHz: 5, upTo: MANY, items: [] });
    await has(client, 'ticks.a', MANY);
    expect(stateOf(client, 'ticks.a')).toEqual(wholeState(MANY));

    const leaving = await node.connect({ encoding: 'msgpack' });
    leaving.pause();
    leaving.send({ type: 'subscribe', id: 1, topic: 'ticks.a', snapshot: true });
    await node.untilMetric('stentor_subscriptions_starting', (count) => count === 1);
    leaving.send({ type: 'unsubscribe', id: 2, topic: 'ticks.a' });
    await node.untilMetric('stentor_subscriptions_starting', (count) => count === 0);
    leaving.resume();
    await leaving.next('unsubscribed');
    const count = partsOf(leaving, 'ticks.a').length;
    await leaving.settle();
    expect(partsOf(leaving, 'ticks.a')).toHaveLength(count);
  });

  it('closes a connection that accepts nothing', async () => {
    const node = await start({ 'limits.slowTimeoutMs': 2000 });
    await fill(node, 'ticks.a', MANY, LARGE_BYTES);
    const stuck = await node.connect({ encoding: 'msgpack' });
    stuck.pause();
    stuck.send({ type: 'subscribe', id: 1, topic: 'ticks.a', snapshot: true });
    await node.untilMetric('stentor_connections_closed_total', (count) => count === 1, { code: '4103' });
  });
});

describe('a connection that breaks during a state', () => {
  it('continues where it was, however often it breaks, while the state changes', async () => {
    const node = await start();
    await fill(node, 'ticks.a');
    const proxy = await proxyTo(node);
    let epoch = '';
    let offset = 0;
    let cuts = 0;
    const state = new Map<unknown, number>();
    const expected = wholeState();
    for (let whole = false; !whole && cuts < 200; cuts++) {
      void proxy.cutAfter(6000 + ((cuts * 7919) % 20_000), 'end');
      const client = await TestClient.connect(`ws://127.0.0.1:${proxy.port}/ws`, { encoding: 'msgpack' });
      const tracker = client.track('ticks.a');
      const since = offset === 0 ? undefined : { epoch, offset };
      client.send({ type: 'subscribe', id: 1, topic: 'ticks.a', snapshot: true, ...(since && { since }) });
      // What came before the cut is read, and counts.
      await Promise.race([client.closed, has(client, 'ticks.a', KEYS + cuts).catch(() => undefined)]);
      await client.close();
      for (const message of client.messages) if (message.type === 'subscribed') expect(message.recovered).toBe(since !== undefined);
      for (const { key, data, meta } of tracker.items) {
        if (meta?.removed) state.delete(key);
        else state.set(key, data.n);
      }
      expect(tracker.gaps).toBe(0);
      if (tracker.last > offset) ({ epoch, last: offset } = tracker);
      whole = offset >= KEYS + cuts;
      const key = `k${(cuts * 131) % KEYS}`;
      await node.publish('ticks.a', cuts % 5 === 4 ? null : value(-1 - cuts), { key });
      if (cuts % 5 === 4) expected.delete(key);
      else expected.set(key, -1 - cuts);
    }
    const last = await node.connect({ encoding: 'msgpack' });
    const tracker = last.track('ticks.a');
    await last.subscribe('ticks.a', { since: { epoch, offset } });
    for (const { key, data, meta } of tracker.items) {
      if (meta?.removed) state.delete(key);
      else state.set(key, data.n);
    }
    expect(state).toEqual(expected);
    expect(cuts).toBeGreaterThan(10);
    expect(cuts).toBeLessThan(200);
  });
});
