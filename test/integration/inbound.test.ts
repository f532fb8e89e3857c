import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { MemoryBus } from '../../src/bus/memory/memory-bus.ts';
import { TestNode } from '../support/node.ts';
import { rawUpgrade } from '../support/raw-http.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = { plain: { public: true, clientPublish: true }, short: { durable: false, public: true } };
const FLOOD = { code: 4009, reason: 'more frames or bytes than allowed' };

const nodes: TestNode[] = [];
const sockets: net.Socket[] = [];
async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const node of nodes.splice(0)) await node.stop();
});

async function connected(node: TestNode): Promise<TestClient> {
  const client = await node.connect({ encoding: 'json', token: await tokenOf() });
  await client.next('connected');
  return client;
}

/** A WebSocket that writes what it likes and answers to nothing. */
async function rawSocket(node: TestNode): Promise<net.Socket> {
  // Half open: the server's FIN does not end it.
  const socket = net.connect({ port: node.running.port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(rawUpgrade());
  await once(socket, 'data');
  socket.resume();
  return socket;
}

/** So many frames with an all-zero mask. */
function frames(opcode: number, count: number, payload = Buffer.alloc(0)): Buffer {
  const frame = Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
  return Buffer.concat(Array.from({ length: count }, () => frame));
}
const TEXT = 1;
const PING = 9;
const PONG = 10;

describe('a text frame that is not UTF-8', () => {
  it.each(['c3', 'c0af', 'eda080', 'f8888080', '7b22ff'])(
    '(%s) ends its connection with 1006, as PROTOCOL.md says, and no other',
    async (hex) => {
      const node = await start();
      const [client, other] = [await connected(node), await connected(node)];
      client.socket.send(Buffer.from(hex, 'hex'), { binary: false });
      expect(await client.closed).toMatchObject({ code: 1006 });
      await other.settle();
    },
  );
});

describe('frames a second from one connection', () => {
  it.each([
    ['pings', (client: TestClient) => client.socket.ping()],
    ['pongs', (client: TestClient) => client.socket.pong()],
  ])('%s pass up to two seconds’ worth, and close with 4009 above that', async (_, send) => {
    const node = await start({ 'tuning.commands.framesPerSecondMax': 300 });
    const client = await node.connect();
    for (let i = 0; i < 590; i++) send(client);
    await client.settle();
    const other = await node.connect();
    for (let i = 0; i < 2000; i++) send(client);
    expect(await client.closed).toEqual(FLOOD);
    await other.settle();
    expect(await node.metric('stentor_floods_total')).toBe(1);
    expect(await node.metric('stentor_connections_closed_total', { code: '4009' })).toBe(1);
    expect(await node.metric('stentor_control_frames_in_total')).toBeGreaterThanOrEqual(600);
  });

  it('messages are refused with rate_limited long before they close the connection', async () => {
    const node = await start({ 'tuning.commands.framesPerSecondMax': 300, 'limits.messagesPerSecondMax': 10 });
    const client = await node.connect();
    for (let i = 0; i < 200; i++) client.send({ type: 'ping', t: i });
    await client.until('refusals', () => client.messages.filter((message) => message.type === 'error').length >= 170);
    for (const message of client.messages) if (message.type === 'error') expect(message.code).toBe('rate_limited');
    for (let i = 0; i < 2000; i++) client.send({ type: 'ping', t: i });
    expect(await client.closed).toEqual(FLOOD);
  });

  it.each([
    ['pings', frames(PING, 10_000)],
    ['pongs', frames(PONG, 10_000)],
    ['empty texts', frames(TEXT, 10_000)],
  ])('a client that goes on sending %s after its close is cut, and others never notice', async (_, flood) => {
    // With frequent pings uWebSockets waits 4 s for the end of a socket that we have ended, and else 16 s.
    const node = await start({ 'heartbeat.pingIntervalMs': 5000, 'tuning.connections.pongTimeoutMs': 1000 });
    const member = await node.connect();
    await member.subscribe('plain.a');
    const socket = await rawSocket(node);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    const pump = setInterval(() => socket.write(flood), 1);
    try {
      await node.publish('plain.a', 'through the flood');
      expect((await member.next('batch')).items[0]?.[2]).toBe('through the flood');
      await node.untilMetric('stentor_connections', (open) => open === 1);
      await gone;
    } finally {
      clearInterval(pump);
    }
    await member.settle();
  });
});

describe('bytes a second from one connection', () => {
  it('refuses a message with rate_limited above two seconds’ worth, and accepts it after retryAfterMs', async () => {
    const node = await start({ 'limits.bytesPerSecondMax': 65_536 });
    const client = await connected(node);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => client.ask({ type: 'publish', topic: 'plain.a', data: 'x'.repeat(60_000) })),
    );
    // A third one would pass three quarters of a second later.
    expect(answers.map(({ type }) => type)).toEqual(['published', 'published', 'error', 'error']);
    expect(answers[2]).toMatchObject({ code: 'rate_limited', retryable: true, message: 'more than 65536 bytes a second' });
    const { retryAfterMs = 0 } = answers[3] as { retryAfterMs?: number };
    expect(retryAfterMs).toBeGreaterThan(300);
    expect(retryAfterMs).toBeLessThanOrEqual(1700);
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs + 5));
    expect(await client.ask({ type: 'publish', topic: 'plain.a', data: 'small' })).toMatchObject({ type: 'published' });
  });

  it('closes a client that continues with 4009', async () => {
    const node = await start({ 'limits.bytesPerSecondMax': 65_536 });
    const client = await connected(node);
    for (let i = 0; i < 20; i++) client.send({ type: 'publish', topic: 'plain.a', data: 'x'.repeat(50_000) });
    expect(await client.closed).toEqual(FLOOD);
    expect(await node.metric('stentor_errors_total', { code: 'rate_limited' })).toBeGreaterThan(0);
  });

  it('is stated in connected', async () => {
    const node = await start({ 'limits.bytesPerSecondMax': 500_000 });
    const client = await node.connect();
    expect((await client.get('connected', { type: 'connect' })).limits.bytesPerSecondMax).toBe(500_000);
  });
});

describe('calls in flight', () => {
  async function withSilentService(settings: Record<string, unknown>) {
    const node = await start(settings);
    const bus = node.bus as MemoryBus;
    const answer: ((data: Uint8Array) => void)[] = [];
    bus.serve('slow', () => new Promise<Uint8Array>((resolve) => answer.push(resolve)));
    bus.serve('echo', (data) => data);
    return { node, answerOne: () => answer.shift()?.(Buffer.from('"done"')) };
  }

  it('busy past callsPerConnectionMax, until one is answered', async () => {
    const { node, answerOne } = await withSilentService({ 'tuning.commands.callsPerConnectionMax': 3 });
    const client = await connected(node);
    const slow = Array.from({ length: 3 }, () => client.ask({ type: 'call', method: 'slow', timeoutMs: 60_000 }));
    expect(await client.ask({ type: 'call', method: 'echo', data: 1 })).toMatchObject({ code: 'busy', retryable: true });
    expect(await node.metric('stentor_calls_in_flight')).toBe(3);
    expect(await (await connected(node)).ask({ type: 'call', method: 'echo', data: 1 })).toMatchObject({ data: 1 });
    answerOne();
    expect(await Promise.race(slow)).toMatchObject({ type: 'result', data: 'done' });
    expect(await client.ask({ type: 'call', method: 'echo', data: 1 })).toMatchObject({ data: 1 });
  });

  it('busy above callsInFlightMax, for all clients', async () => {
    const { node, answerOne } = await withSilentService({
      'tuning.commands.callsPerConnectionMax': 2,
      'tuning.commands.callsInFlightMax': 3,
    });
    const [first, second] = [await connected(node), await connected(node)];
    const slow = [first, first, second].map((client) => client.ask({ type: 'call', method: 'slow', timeoutMs: 60_000 }));
    await node.untilMetric('stentor_calls_in_flight', (count) => count === 3);
    expect(await second.ask({ type: 'call', method: 'echo' })).toMatchObject({ code: 'busy', retryable: true });
    answerOne();
    await Promise.race(slow);
    expect(await second.ask({ type: 'call', method: 'echo', data: 2 })).toMatchObject({ data: 2 });
  });

  it('time out after callTimeoutMaxMs at the latest, even if the client asks for more', async () => {
    const { node } = await withSilentService({ 'tuning.commands.callTimeoutMaxMs': 50 });
    const client = await connected(node);
    expect(await client.ask({ type: 'call', method: 'slow', timeoutMs: 60_000 })).toMatchObject({ code: 'timeout' });
  });

  it('an answer of callAnswerBytesMax is delivered, a larger one is not', async () => {
    const { node } = await withSilentService({ 'tuning.commands.callAnswerBytesMax': 1002 });
    const client = await connected(node);
    expect(await client.ask({ type: 'call', method: 'echo', data: 'x'.repeat(1000) })).toMatchObject({ type: 'result' });
    expect(await client.ask({ type: 'call', method: 'echo', data: 'x'.repeat(1001) })).toMatchObject({ code: 'answer_too_large' });
  });
});

describe('commands that are not answered yet', () => {
  it('busy past their number, their bytes, and the bytes of all', async () => {
    const node = await start({
      'tuning.commands.commandsPerConnectionMax': 4,
      'limits.messageBytesMax': 65_536,
      'tuning.commands.commandBytesPerConnectionMax': 100_000,
      'tuning.commands.commandBytesInFlightMax': 150_000,
    });
    (node.bus as MemoryBus).serve('slow', () => new Promise(() => undefined));
    const call = (client: TestClient, bytes: number) =>
      client.ask({ type: 'call', method: 'slow', data: 'x'.repeat(bytes), timeoutMs: 60_000 });
    const many = await connected(node);
    for (let i = 0; i < 4; i++) void call(many, 10).catch(() => undefined);
    expect(await many.ask({ type: 'subscribe', topic: 'plain.a' })).toMatchObject({ code: 'busy', retryable: true });
    await many.settle();

    const large = await connected(node);
    void call(large, 60_000).catch(() => undefined);
    expect(await call(large, 60_000)).toMatchObject({ code: 'busy', message: expect.stringContaining('100000 bytes') });
    await large.subscribe('plain.a');

    const another = await connected(node);
    void call(another, 60_000).catch(() => undefined);
    const last = await connected(node);
    expect(await call(last, 60_000)).toMatchObject({ code: 'busy', message: expect.stringContaining('all connections') });
    await last.subscribe('plain.a');
    expect(await node.metric('stentor_command_bytes_in_flight')).toBeGreaterThan(120_000);
    expect(await node.metric('stentor_errors_total', { code: 'busy' })).toBe(3);
  });

  it('are released when they fail, and when their connection ends', async () => {
    const node = await start({ 'tuning.commands.callTimeoutMaxMs': 100 });
    (node.bus as MemoryBus).serve('slow', () => new Promise(() => undefined));
    const client = await connected(node);
    for (let i = 0; i < 10; i++) client.send({ type: 'call', id: i, method: 'slow', data: 'x'.repeat(1000) });
    for (let i = 10; i < 20; i++) client.send({ type: 'publish', id: i, topic: 'nowhere.a', data: 'x'.repeat(1000) });
    await node.untilMetric('stentor_calls_in_flight', (count) => count === 10);
    await client.close();
    await node.untilMetric('stentor_command_bytes_in_flight', (bytes) => bytes === 0);
  });
});
