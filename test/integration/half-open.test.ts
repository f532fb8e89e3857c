import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { rawRequest, rawUpgrade, statusOf } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const nodes: TestNode[] = [];
const sockets: net.Socket[] = [];
async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start(settings);
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const node of nodes.splice(0)) await node.stop();
});

/** Connects from one of this machine's own addresses, and sends the beginning of a request. */
async function halfOpen(node: TestNode, localAddress: string, text = 'GET /ws HTTP/1.1\r\nHost: a\r\n'): Promise<net.Socket> {
  const socket = net.connect({ port: node.running.port, host: '127.0.0.1', localAddress });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  socket.resume();
  return socket;
}

const isListening = (node: TestNode) =>
  rawRequest(node.running.port, rawUpgrade()).then(
    (answer) => statusOf(answer) === 101,
    () => false,
  );

// Other systems have one loopback address only.
describe.runIf(process.platform === 'linux')('half-open requests', () => {
  it('from one address leave room for others, and at their overall limit stop the worker from listening until some end', async () => {
    const node = await start({ 'tuning.connections.handshakesMax': 8, 'tuning.connections.handshakeGraceMs': 12_000 });
    const [first, second] = await Promise.all(Array.from({ length: 6 }, () => halfOpen(node, '127.0.0.2')));
    await node.untilMetric('stentor_handshakes', (count) => count === 6);
    const seventh = await halfOpen(node, '127.0.0.2');
    await new Promise((resolve) => (seventh.closed ? resolve(undefined) : seventh.once('close', resolve)));
    expect(await node.metric('stentor_handshakes_refused_total')).toBe(1);
    // Others get in meanwhile.
    await (await node.connect()).settle();
    expect(await node.metric('stentor_accept_pauses_total')).toBe(0);

    for (let i = 0; i < 2; i++) await halfOpen(node, '127.0.0.3');
    await node.untilMetric('stentor_accept_paused', (paused) => paused === 1);
    expect(await isListening(node)).toBe(false);

    first?.destroy();
    second?.destroy();
    await node.untilMetric('stentor_accept_paused', (paused) => paused === 0);
    await (await node.connect()).settle();
    expect(await node.metric('stentor_upgrades_unfinished_total')).toBeGreaterThanOrEqual(3);
  });

  it('make room for new ones once they have waited for tuning.connections.handshakeGraceMs', async () => {
    const node = await start({ 'tuning.connections.handshakesMax': 8, 'tuning.connections.handshakeGraceMs': 1 });
    const late = [];
    for (let i = 0; i < 6; i++) late.push(await halfOpen(node, '127.0.0.1'));
    await node.untilMetric('stentor_handshakes', (count) => count === 6);
    await (await node.connect()).settle();
    await Promise.all(late.map((socket) => socket.closed || new Promise((resolve) => socket.once('close', resolve))));
    expect(await node.metric('stentor_upgrades_unfinished_total')).toBe(6);
  });

  it('are cut within 12 s, however they trickle, and answered requests at once', async () => {
    const node = await start();
    const trickling = await halfOpen(node, '127.0.0.2', 'GET /ws HTTP/1.1\r\n');
    const trickle = setInterval(() => trickling.write('x'), 500);
    const silent = await halfOpen(node, '127.0.0.2', '');
    const answered = await halfOpen(node, '127.0.0.2', 'GET /else HTTP/1.1\r\nHost: a\r\n\r\n');
    try {
      await Promise.all(
        [trickling, silent, answered].map((socket) => socket.closed || new Promise((resolve) => socket.once('close', resolve))),
      );
    } finally {
      clearInterval(trickle);
    }
    expect(await node.metric('stentor_handshakes')).toBe(0);
    expect(await node.metric('stentor_upgrades_unfinished_total')).toBe(2);
  });

  it('are counted when uWebSockets refuses them itself', async () => {
    const node = await start();
    const answer = await rawRequest(node.running.port, rawUpgrade([`Cookie: ${'x'.repeat(100_000)}`]));
    expect(statusOf(answer)).toBe(431);
    await node.untilMetric('stentor_upgrades_unfinished_total', (count) => count === 1);
    expect(await node.metric('stentor_handshakes')).toBe(0);
  });
});

describe.runIf(process.platform === 'linux')('a connection that was closed for being too slow', () => {
  it('does not keep its descriptor for good, though its peer reads on and never ends it', async () => {
    const node = await start({
      'heartbeat.pingIntervalMs': 3000,
      'tuning.connections.pongTimeoutMs': 1000,
      'limits.slowTimeoutMs': 200,
      namespaces: { plain: { public: true, maxPayloadBytes: 65_536 } },
    });
    const before = readdirSync('/proc/self/fd').length;
    const socket = net.connect({ port: node.running.port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(rawUpgrade());
    await once(socket, 'data');
    socket.pause();
    const subscribe = Buffer.from('{"type":"subscribe","id":1,"topic":"plain.a"}');
    socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | subscribe.length, 0, 0, 0, 0]), subscribe]));
    const publishing = setInterval(() => void node.publish('plain.a', 'x'.repeat(60_000)), 2);
    await node.untilMetric('stentor_connections_closed_total', (closed) => closed === 1, { code: '4103' });
    clearInterval(publishing);
    socket.resume();
    // The one left is this test's own end.
    await until('the node to have closed its end', () => readdirSync('/proc/self/fd').length <= before + 1);
    expect(socket.writable).toBe(true);
  });
});
