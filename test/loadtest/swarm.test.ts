import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { runFeed } from '../../loadtest/core/feeder.ts';
import type { SwarmSettings } from '../../loadtest/swarm/settings.ts';
import { Swarm } from '../../loadtest/swarm/swarm.ts';
import { nowUs } from '../../src/bench/clock.ts';

const TOPIC = 'bench.big';
const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A server with the plain dialect: `sub <topic>` is answered with `ok`. */
async function plainServer(answer = 'ok'): Promise<{ port: number; publish(payload: Buffer): void; server: WebSocketServer }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await new Promise((resolve) => server.once('listening', resolve));
  server.on('connection', (socket) => socket.on('message', () => socket.send(answer)));
  ends.push(() => new Promise((resolve) => server.close(() => resolve())));
  const publish = (payload: Buffer) => {
    for (const socket of server.clients) socket.send(payload, { binary: false });
  };
  return { port: (server.address() as { port: number }).port, publish, server };
}

function swarmOf(over: Partial<SwarmSettings> & { port: number }): Swarm {
  const swarm = new Swarm({
    count: 20,
    dialect: 'plain',
    subscription: { topic: TOPIC },
    sampleEvery: 4,
    keys: 0,
    payloadBytes: 100,
    inFlightMax: 8,
    ...over,
  });
  ends.push(() => swarm.destroy());
  return swarm;
}

function plan(ratePerSecond: number, durationMs: number, burst = 1) {
  const topics = [{ topic: TOPIC, ratePerSecond, burst, keys: 0, firstSequence: 0 }];
  return { topics, startAtUs: nowUs(), durationMs, payloadBytes: 100 };
}

async function allArrived(swarm: Swarm, sequence: number): Promise<void> {
  while (swarm.tally.behind(sequence, 0) > 0) await new Promise((resolve) => setImmediate(resolve));
}

describe('a swarm', () => {
  it('gets every publication on every connection, in order, with latencies of the sampled ones', async () => {
    const { port, publish } = await plainServer();
    const swarm = swarmOf({ port });
    await swarm.connect();
    expect(swarm.ready).toBe(20);
    const { published } = await runFeed(plan(2000, 500, 50), (_topic, payload) => publish(payload));
    expect(published[TOPIC]).toBe(1000);
    await allArrived(swarm, 1000);
    expect(swarm.tally).toMatchObject({ delivered: 20_000, frames: 20_000, skipped: 0, repeated: 0 });
    expect(swarm.tally.latency.totalCount).toBe(5 * 1000);
  });

  it('assembles frames that are split across reads', async () => {
    const { port, publish } = await plainServer();
    const swarm = swarmOf({ port, count: 3, payloadBytes: 50_000, sampleEvery: 1 });
    await swarm.connect();
    const feed = { ...plan(1000, 40, 40), payloadBytes: 50_000 };
    await runFeed(feed, (_topic, payload) => publish(payload));
    await allArrived(swarm, 40);
    expect(swarm.tally).toMatchObject({ delivered: 120, skipped: 0, repeated: 0 });
  });

  it('answers pings', async () => {
    const { port, server } = await plainServer();
    const swarm = swarmOf({ port, count: 1 });
    await swarm.connect();
    const [socket] = server.clients;
    const pong = new Promise((resolve) => socket?.once('pong', (data: Buffer) => resolve(data.toString())));
    socket?.ping('are you there');
    expect(await pong).toBe('are you there');
  });

  it('says why connections were refused', async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, verifyClient: (_info, answer) => answer(false, 403, 'no') });
    await new Promise((resolve) => server.once('listening', resolve));
    ends.push(() => new Promise((resolve) => server.close(() => resolve())));
    const swarm = swarmOf({ port: (server.address() as { port: number }).port, count: 3 });
    await swarm.connect();
    expect(swarm).toMatchObject({ ready: 0, closed: 3, refusal: expect.stringContaining('403') });
  });

  it('stops reading some connections and gets everything when they read again', async () => {
    const { port, publish } = await plainServer();
    const swarm = swarmOf({ port, count: 4 });
    await swarm.connect();
    swarm.pause(0, 2);
    await runFeed(plan(1000, 100, 100), (_topic, payload) => publish(payload));
    while (swarm.tally.behind(100, 2) > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(swarm.tally.behind(100, 0)).toBe(2);
    swarm.resume(0, 2);
    await allArrived(swarm, 100);
    expect(swarm.tally.delivered).toBe(400);
  });

  it('opens first and subscribes later, if requested', async () => {
    const { port, server } = await plainServer();
    let asked = 0;
    server.on('connection', (socket) => socket.on('message', () => asked++));
    const swarm = swarmOf({ port, later: true });
    await swarm.connect();
    expect(swarm).toMatchObject({ ready: 20, closed: 0 });
    expect(asked).toBe(0);
    await swarm.subscribe();
    expect(swarm).toMatchObject({ ready: 20, closed: 0 });
    expect(asked).toBe(20);
  });

  it('reconnects with its positions', async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    await new Promise((resolve) => server.once('listening', resolve));
    ends.push(() => new Promise((resolve) => server.close(() => resolve())));
    const asked: { topic: string; since?: object }[] = [];
    server.on('connection', (socket) =>
      socket.on('message', (message) => {
        const { epoch, topics } = JSON.parse(message.toString());
        for (const [id, topic, offset] of topics) {
          asked.push({ topic, ...(offset !== undefined && { since: { epoch, offset } }) });
          socket.send(JSON.stringify({ type: 'subscribed', id, topic, epoch: 'e1', offset: 7, items: [] }));
        }
      }),
    );
    const over = {
      port: (server.address() as { port: number }).port,
      count: 2,
      dialect: 'stentor-json',
      watch: { topics: 5, perConnection: 3 },
    } as const;
    const before = swarmOf(over);
    await before.connect();
    expect(asked.map(({ since }) => since)).toEqual(new Array(6).fill(undefined));
    asked.length = 0;
    const after = new Swarm(before.settings, before.positions);
    ends.push(() => after.destroy());
    await after.connect();
    expect(asked.map(({ since }) => since)).toEqual(new Array(6).fill({ epoch: 'e1', offset: 7 }));
  });

  it('follows a topic beside its watchlist', async () => {
    const { port, server } = await plainServer('ok4');
    const asked: string[] = [];
    server.on('connection', (socket) => socket.on('message', (message) => asked.push(message.toString())));
    const swarm = swarmOf({ port, count: 1, watch: { topics: 5, perConnection: 3 }, alsoFollows: 'bench.fill' });
    await swarm.connect();
    expect(asked[0]?.split(' ')).toHaveLength(5);
    expect(asked[0]).toMatch(/ bench\.fill$/);
  });
});
