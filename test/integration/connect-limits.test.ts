import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { rawRequest, rawUpgrade, statusOf } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const nodes: TestNode[] = [];
const sockets: net.Socket[] = [];

async function start(settings: Record<string, unknown>): Promise<TestNode> {
  const node = await TestNode.start(settings);
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const node of nodes.splice(0)) await node.stop();
});

/** Sends these bytes, and keeps the connection open. @returns the answer's head */
async function send(node: TestNode, bytes: string | Buffer): Promise<string> {
  const socket = net.connect(node.running.port, '127.0.0.1', () => socket.write(bytes));
  sockets.push(socket);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  await until('an answer', () => answer.includes('\r\n\r\n'));
  return answer;
}

const from = (address: string) => rawUpgrade([`X-Forwarded-For: ${address}`]);

/** A header of the PROXY protocol, version 2, for TCP over IPv4; then the request. */
function proxied(address: string, request: string): Buffer {
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  const header = Buffer.concat([
    signature,
    Buffer.from([0x21, 0x11, 0, 12]),
    Buffer.from([...address.split('.').map(Number), 127, 0, 0, 1]),
  ]);
  return Buffer.concat([header, Buffer.from([0x10, 0x00, 0x1f, 0x90]), Buffer.from(request)]);
}

describe('limits.connectionsPerAddressMax', () => {
  it('refuses further connections of an address with 429 and Retry-After, WebSockets and streams together', async () => {
    const node = await start({ 'limits.connectionsPerAddressMax': 3 });
    const stream = 'GET /sse?topic=scores.a HTTP/1.1\r\nHost: localhost\r\n\r\n';
    expect(statusOf(await send(node, rawUpgrade()))).toBe(101);
    expect(statusOf(await send(node, stream))).toBe(200);
    const last = await node.connect();
    const refused = await rawRequest(node.running.port, rawUpgrade());
    expect(statusOf(refused)).toBe(429);
    expect(refused).toMatch(/\r\nRetry-After: 5\r\n/);
    const noStream = await rawRequest(node.running.port, stream);
    expect(statusOf(noStream)).toBe(429);
    expect(noStream).toContain('"code":"too_many_connections"');
    expect(await node.metric('stentor_connects_refused_total', { limit: 'connectionsPerAddressMax' })).toBe(2);
    await last.close();
    await node.untilMetric('stentor_connections', (value) => value === 2);
    expect(statusOf(await send(node, rawUpgrade()))).toBe(101);
    for (const socket of sockets) socket.destroy();
    await node.untilMetric('stentor_connections', (value) => value === 0);
    await Promise.all(Array.from({ length: 3 }, () => node.connect()));
  });

  it('lets nobody else pay for an address that floods the node with connects', async () => {
    const node = await start({ 'limits.connectionsPerAddressMax': 5, 'proxies.trusted': ['127.0.0.1'] });
    const answers = await Promise.all(Array.from({ length: 300 }, () => send(node, from('6.6.6.6'))));
    expect(answers.filter((answer) => statusOf(answer) === 101)).toHaveLength(5);
    expect(answers.filter((answer) => statusOf(answer) === 429)).toHaveLength(295);
    expect(statusOf(await send(node, from('7.7.7.7')))).toBe(101);
  });
});

describe('limits.connectsPerAddressPerSecondMax', () => {
  it('refuses more connects per second with 429 and Retry-After', async () => {
    const node = await start({ 'limits.connectsPerAddressPerSecondMax': 2, 'proxies.trusted': ['127.0.0.0/8'] });
    const statuses = (await Promise.all(Array.from({ length: 60 }, () => send(node, from('6.6.6.6'))))).map(statusOf);
    const refused = statuses.filter((status) => status === 429).length;
    expect(statuses.filter((status) => status === 101)).toHaveLength(60 - refused);
    expect(refused).toBeGreaterThan(0);
    expect(statusOf(await send(node, from('7.7.7.7')))).toBe(101);
    expect(await node.metric('stentor_connects_refused_total', { limit: 'connectsPerAddressPerSecondMax' })).toBe(refused);
  });
});

describe('the address of a client', () => {
  it('cannot be forged by a client that is not a trusted proxy, or through one', async () => {
    const direct = await start({ 'limits.connectionsPerAddressMax': 1, 'proxies.trusted': ['10.0.0.0/8'] });
    expect(statusOf(await send(direct, from('6.6.6.6')))).toBe(101);
    expect(statusOf(await send(direct, from('7.7.7.7')))).toBe(429);
    const behind = await start({ 'limits.connectionsPerAddressMax': 1, 'proxies.trusted': ['127.0.0.1'] });
    expect(statusOf(await send(behind, from('1.1.1.1, 6.6.6.6')))).toBe(101);
    expect(statusOf(await send(behind, from('2.2.2.2, 6.6.6.6')))).toBe(429);
  });

  it('is read from the PROXY protocol', async () => {
    const node = await start({
      'limits.connectionsPerAddressMax': 1,
      'proxies.trusted': ['127.0.0.1'],
      'proxies.addressFrom': 'proxyProtocol',
    });
    expect(statusOf(await send(node, proxied('6.6.6.6', rawUpgrade())))).toBe(101);
    expect(statusOf(await send(node, proxied('6.6.6.6', from('7.7.7.7'))))).toBe(429);
    expect(statusOf(await send(node, proxied('7.7.7.7', rawUpgrade())))).toBe(101);
  });
});
