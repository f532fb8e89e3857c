import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const nodes: TestNode[] = [];
async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({
    namespaces: { open: { public: true, slowConsumer: 'skip' } },
    'heartbeat.pingIntervalMs': 300,
    'tuning.connections.pongTimeoutMs': 100,
    ...settings,
  });
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

const MUTE = { encoding: 'json', socket: { autoPong: false } } as const;

describe('a peer that vanished', () => {
  it('is closed after two pings without an answer, and responding ones stay', async () => {
    const node = await start();
    const [mute, frozen, live] = [await node.connect(MUTE), await node.connect(), await node.connect()];
    for (const client of [mute, frozen, live]) await client.subscribe('open.a');
    frozen.pause();
    await node.untilMetric('stentor_connections', (open) => open === 1);
    expect(await node.metric('stentor_subscriptions')).toBe(1);
    expect(await node.metric('stentor_connections_closed_total', { code: '1006' })).toBe(2);
    expect(mute.pings).toBeGreaterThanOrEqual(2);
    const seen = live.pings;
    await live.until('more pings', () => live.pings > seen + 3);
    await node.publish('open.a', 'still here');
    await live.next('batch');
  });

  it('is alive if it sends messages but no pongs', async () => {
    const node = await start();
    const client = await node.connect(MUTE);
    const timer = setInterval(() => client.send({ type: 'ping' }), 50);
    await client.until('many pings', () => client.pings > 6).finally(() => clearInterval(timer));
    await client.settle();
  });

  it('is alive if it reads what it is sent, however late its pongs are', async () => {
    const node = await start({ 'heartbeat.pingIntervalMs': 800, 'tuning.connections.pongTimeoutMs': 400 });
    const slow = await node.connect();
    await slow.subscribe('open.a');
    // Its pongs wait behind all that it has still to read: as good as not there.
    Object.assign(slow.socket, { _autoPong: false });
    const data = 'x'.repeat(60_000);
    const count = (name: string) => node.metric(`stentor_connections_${name}_total`);
    // A silent one would be gone after 2 s.
    for (const endMs = performance.now() + 4000; performance.now() < endMs; ) {
      const [lagged, rejoined] = [await count('lagged'), await count('rejoined')];
      slow.pause();
      while ((await count('lagged')) === lagged) for (let n = 0; n < 50; n++) await node.publish('open.a', data);
      slow.resume();
      await node.untilMetric('stentor_connections_rejoined_total', (times) => times > rejoined);
      expect(await node.metric('stentor_connections')).toBe(1);
    }
    slow.pause();
    await node.untilMetric('stentor_connections', (open) => open === 0);
  });
});

describe('pings', () => {
  it('of connections that opened together are spread over the interval', async () => {
    const node = await start({ 'heartbeat.pingIntervalMs': 1000, 'tuning.connections.pongTimeoutMs': 500 });
    const clients: TestClient[] = await Promise.all(Array.from({ length: 40 }, () => node.connect()));
    const firstPingAtMs = await Promise.all(
      clients.map(async (client) => {
        await client.until('a ping', () => client.pings > 0);
        return performance.now();
      }),
    );
    expect(Math.max(...firstPingAtMs) - Math.min(...firstPingAtMs)).toBeGreaterThan(250);
    await until('every pong', async () => (await node.metric('stentor_connections')) === 40);
  });
});
