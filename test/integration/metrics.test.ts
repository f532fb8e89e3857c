import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';

const nodes: TestNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function start(): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: { chat: { public: true, clientPublish: true, flushIntervalMs: 100 } } });
  nodes.push(node);
  return node;
}

describe('metrics', () => {
  it('count what was received and sent, how it was batched, and how long it took', async () => {
    const node = await start();
    const token = await tokenOf();
    const clients = await Promise.all([1, 2, 3].map(() => node.connect({ encoding: 'msgpack', token })));
    for (const client of clients) await client.subscribe('chat.a');
    const [publisher] = clients;
    for (let n = 0; n < 10; n++) await publisher?.get('published', { type: 'publish', topic: 'chat.a', data: 'x'.repeat(100) });
    await Promise.all(clients.map((client) => client.until('all', () => client.track('chat.a').items.length === 10)));
    await publisher?.ask({ type: 'publish', topic: 'chat.a', key: 'k', data: 1 });

    const metric = (name: string, labels = {}) => node.metric(`stentor_${name}`, labels);
    expect(await metric('connections')).toBe(3);
    expect(await metric('connections_opened_total')).toBe(3);
    expect(await metric('subscriptions')).toBe(3);
    expect(await metric('topics')).toBe(1);
    expect(await metric('messages_in_total', { type: 'subscribe' })).toBe(3);
    expect(await metric('messages_in_total', { type: 'publish' })).toBe(11);
    expect(await metric('received_bytes_total')).toBeGreaterThan(1000);
    expect(await metric('publications_in_total', { topic_namespace: 'chat' })).toBe(10);
    expect(await metric('publish_ack_seconds_count', { outcome: 'stored' })).toBe(10);
    expect(await metric('deliveries_total')).toBe(30);
    const batches = await metric('batch_items_count');
    expect(await metric('batch_items_sum')).toBe(10);
    expect(batches).toBeLessThan(10);
    expect(await metric('frames_out_total')).toBe(batches * 3);
    expect(await metric('sent_bytes_total')).toBeGreaterThan(30 * 100);
    expect(await metric('publish_to_socket_seconds_count')).toBe(batches);
    expect(await metric('errors_total', { code: 'key_not_allowed' })).toBe(1);
    expect(await metric('bus_connected')).toBe(1);
    expect(await metric('workers')).toBe(1);
    expect(await metric('worker_restarts_total')).toBe(0);
    expect(await metric('publishes_in_flight')).toBe(0);

    await clients[0]?.close();
    await clients[1]?.get('unsubscribed', { type: 'unsubscribe', topic: 'chat.a' });
    await node.untilMetric('stentor_subscriptions', (count) => count === 1);
    await node.untilMetric('stentor_connections', (count) => count === 2);
  });

  it('count no delivery to a socket that stalls, and each publication once when it has caught up', async () => {
    const node = await TestNode.start({ namespaces: { scores: { public: true } }, 'tuning.fanout.lagThresholdBytes': 4096 });
    nodes.push(node);
    const [healthy, stalled] = [await node.connect({ encoding: 'msgpack' }), await node.connect({ encoding: 'msgpack' })];
    const trackers = [healthy, stalled].map((client) => client.track('scores.a'));
    for (const client of [healthy, stalled]) await client.subscribe('scores.a');
    let published = 0;
    const publish = async (count: number) => {
      for (let i = 0; i < count; i++) await node.publish('scores.a', 'x'.repeat(30_000));
      published += count;
      await healthy.until('all', () => trackers[0]?.items.length === published);
    };
    stalled.pause();
    while ((await node.metric('stentor_connections_lagging')) === 0) await publish(20);
    const before = await node.metric('stentor_deliveries_total');
    expect(before).toBeGreaterThan(published);
    expect(before).toBeLessThan(2 * published);
    await publish(20);
    expect((await node.metric('stentor_deliveries_total')) - before).toBe(20);
    stalled.resume();
    await stalled.until('all', () => trackers[1]?.items.length === published);
    await node.untilMetric('stentor_connections_rejoined_total', (count) => count === 1);
    expect(await node.metric('stentor_deliveries_total')).toBe(2 * published);
  });

  it('do not count as delivered what a rate class leaves out', async () => {
    const node = await TestNode.start({ namespaces: { ticks: { public: true, state: 'keyed' } } });
    nodes.push(node);
    const client = await node.connect({ encoding: 'json' });
    await client.subscribe('ticks.a', { maxRateHz: 1 });
    const items: unknown[][] = [];
    for (let n = 1; n <= 30; n++) await node.publish('ticks.a', n, { key: 'K' });
    while (items.at(-1)?.[2] !== 30) items.push(...(await client.next('batch')).items);
    expect(items.length).toBeLessThan(30);
    await node.untilMetric('stentor_deliveries_total', (count) => count === items.length);
  });

  it('have labels for the known close codes only, no matter which codes clients send', async () => {
    const node = await start();
    for (const code of [1000, 1001, 4777, 4000, 4444, 4999]) {
      const client = await node.connect();
      client.socket.close(code);
      await client.closed;
    }
    const codeCount = (code: string) => node.metric('stentor_connections_closed_total', { code });
    await node.untilMetric('stentor_connections_closed_total', (count) => count === 6);
    expect(await Promise.all(['1000', '1001', '4000', 'other'].map(codeCount))).toEqual([1, 1, 1, 3]);
  });
});
