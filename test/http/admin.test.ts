import { once } from 'node:events';
import { request } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeAnswer } from '../../src/http/api/schemas/nodes.ts';
import type { PublishAnswer } from '../../src/http/api/schemas/publish.ts';
import type { Refusal } from '../../src/http/api/schemas/refusal.ts';
import type { TopicsAnswer } from '../../src/http/api/schemas/topics.ts';
import { TOPICS_MAX } from '../../src/hub/report-types.ts';
import { LAGGING_SHOWN_MAX } from '../../src/worker/report.ts';
import { CliProcess } from '../cli/run-cli.ts';
import { freePort } from '../support/free-port.ts';
import { TestNode } from '../support/node.ts';
import { rawRequest } from '../support/raw-http.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';
import { untilStopped } from '../support/until-stopped.ts';

const TOKEN = 'the-operators-token';
const BEARER = { Authorization: `Bearer ${TOKEN}` };
let node: TestNode;

const url = (path: string) => `http://127.0.0.1:${node.running.adminPort}${path}`;
const post = (body: unknown, headers: Record<string, string> = BEARER) =>
  fetch(url('/api/publish'), { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
const refused = async (response: Promise<Response>) => {
  const { status } = await response;
  return [status, ((await (await response).json()) as Refusal).error.code];
};
const readNode = async () => (await (await fetch(url('/api/node'), { headers: BEARER })).json()) as NodeAnswer;
const readTopics = async (query = '') => (await (await fetch(url(`/api/topics${query}`), { headers: BEARER })).json()) as TopicsAnswer;

describe('without admin.token', () => {
  afterEach(() => node.stop());
  beforeEach(async () => {
    node = await TestNode.start();
  });

  it('every user of the machine may read, and none may publish', async () => {
    const { nodeId, scopes, bus, notReady } = await readNode();
    expect({ nodeId, scopes, bus, notReady }).toEqual({
      nodeId: node.running.nodeId,
      scopes: ['read'],
      bus: { kind: 'memory', connected: true },
      notReady: null,
    });
    expect(await refused(post({ topic: 'scores.a', data: 1 }))).toEqual([404, 'unsupported']);
  });

  it.each(['/api/node', '/metrics'])(
    "a web page whose name resolves to this machine does not read %s: the request's host must be localhost or an address",
    async (path) => {
      const statusFor = async (host: string) => {
        const asked = request({ host: '127.0.0.1', port: node.running.adminPort, path, headers: { Host: host } }).end();
        const [response] = await once(asked, 'response');
        response.resume();
        return response.statusCode;
      };
      for (const host of ['evil.example', 'evil.example:9090', 'localhost.evil.example', '127.0.0.1.evil.example'])
        expect(await statusFor(host), host).toBe(403);
      for (const host of ['localhost:9090', '127.0.0.1', '[::1]:9090']) expect(await statusFor(host), host).toBe(200);
    },
  );

  it('serves the page with a policy that permits only its own script', async () => {
    const page = await fetch(url('/'));
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/);
    const html = await page.text();
    expect(html).toMatch(/<script type="module" src="page\.js"><\/script>/);
    expect(html).not.toMatch(/<script(?![^>]* src=)|\son\w+=|style=/);
    for (const [path, type] of [
      ['/page.js', 'text/javascript'],
      ['/style.css', 'text/css'],
    ] as const) {
      const file = await fetch(url(path));
      expect(file.headers.get('content-type')).toContain(type);
      expect(file.headers.get('x-content-type-options')).toBe('nosniff');
      expect((await file.text()).length).toBeGreaterThan(1000);
    }
  });

  it('answers unknown paths with 404, other methods with 405, and HEAD without a body', async () => {
    expect((await fetch(url('/nothing'))).status).toBe(404);
    expect((await fetch(url('/api/node'), { method: 'DELETE' })).status).toBe(405);
    expect((await fetch(url('/api/publish'))).status).toBe(405);
    const head = await fetch(url('/api/node'), { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });
});

describe('with admin.token', () => {
  afterEach(() => node.stop());
  beforeEach(async () => {
    node = await TestNode.start({ 'admin.token': TOKEN, 'limits.messagesPerSecondMax': 10_000 });
  });

  it('reading and publishing need it, the page itself does not', async () => {
    expect(await refused(fetch(url('/api/node')))).toEqual([401, 'unauthorized']);
    expect(await refused(fetch(url('/api/topics'), { headers: { Authorization: 'Bearer nearly' } }))).toEqual([401, 'unauthorized']);
    expect(await refused(fetch(url('/api/nodes')))).toEqual([401, 'unauthorized']);
    const unknown = await (await fetch(url('/api/node'), { headers: { Authorization: 'Bearer nearly' } })).json();
    expect(unknown).toEqual({ error: { code: 'unauthorized', message: 'this node does not know the given token' } });
    expect((await fetch(url('/'))).status).toBe(200);
    expect(await refused(post({ topic: 'scores.a', data: 1 }, {}))).toEqual([401, 'unauthorized']);
    expect(await refused(post({ topic: 'scores.a', data: 1 }, { Authorization: `Bearer ${TOKEN}x` }))).toEqual([401, 'unauthorized']);
    expect((await readNode()).scopes).toEqual(['publish', 'read', 'admin']);
  });

  it('publishes, and answers with the place in the log', async () => {
    const client = await node.connect();
    await client.subscribe('scores.a');
    const answer = (await (await post({ topic: 'scores.a', data: { home: 1 } })).json()) as PublishAnswer;
    const batch = await client.next('batch');
    expect(answer).toEqual({ epoch: batch.epoch, offset: batch.items[0]?.[0], duplicate: false });
    expect(batch.items[0]?.slice(1, 3)).toEqual([null, { home: 1 }]);
    expect((await post({ topic: 'ticks.a', key: 'BTC/USDT', data: 1 })).status).toBe(200);
    expect(node.log.some((line) => line.includes('published through the HTTP API'))).toBe(true);
  });

  it('publishes integers with all their digits', async () => {
    const client = await node.connect({ encoding: 'msgpack' });
    await client.subscribe('scores.long');
    await post('{"topic":"scores.long","data":{"orderId":8389765929445198309}}');
    expect((await client.next('batch')).items[0]?.[2]).toEqual({ orderId: 8389765929445198309n });
  });

  it('refuses what cannot be published, with the code that a client would get', async () => {
    expect(await refused(post('{'))).toEqual([400, 'bad_message']);
    expect(await refused(post({ topic: 'scores.a' }))).toEqual([400, 'bad_message']);
    expect(await refused(post({ topic: 'scores.*', data: 1 }))).toEqual([400, 'bad_topic']);
    expect(await refused(post({ topic: 'nowhere.a', data: 1 }))).toEqual([404, 'unknown_namespace']);
    expect(await refused(post({ topic: 'constructor.a', data: 1 }))).toEqual([404, 'unknown_namespace']);
    expect(await refused(post({ topic: 'ticks.a', data: 1 }))).toEqual([400, 'key_required']);
    expect(await refused(post({ topic: 'scores.a', key: 'K', data: 1 }))).toEqual([400, 'key_not_allowed']);
    expect(await refused(post({ topic: 'ticks.a', key: 'a\nb', data: 1 }))).toEqual([400, 'bad_key']);
    expect(await refused(post({ topic: 'scores.a', data: 'x'.repeat(65_536) }))).toEqual([413, 'message_too_big']);
  });

  it('reads no more of a body than a publication can have', async () => {
    const chunked = request({
      host: '127.0.0.1',
      port: node.running.adminPort,
      path: '/api/publish',
      method: 'POST',
      headers: BEARER,
    });
    chunked.on('error', () => {});
    const answered = once(chunked, 'response');
    const chunk = Buffer.alloc(16_384, 0x20);
    let sent = 0;
    const feed = () => {
      while (!chunked.destroyed && sent < 64 && chunked.write(chunk)) sent++;
    };
    chunked.on('drain', feed);
    feed();
    const [response] = await answered;
    expect(response.statusCode).toBe(413);
    chunked.destroy();
  });

  it('refuses with 408 what does not arrive in time, so that half-sent requests do not hold every place', async () => {
    await node.stop();
    node = await TestNode.start({ 'admin.token': TOKEN, 'tuning.admin.bodyTimeoutMs': 100, 'tuning.admin.requestsInFlightMax': 2 });
    const { adminPort: port } = node.running;
    const half = `POST /api/publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 50\r\n\r\n{`;
    const answers = await Promise.all([rawRequest(port, half), rawRequest(port, half)]);
    expect(answers.map((text) => [/^HTTP\S* (\d+)/.exec(text)?.[1], /"code":"(\w+)"/.exec(text)?.[1]])).toEqual(
      Array(2).fill(['408', 'timeout']),
    );
    expect((await readNode()).scopes).toContain('admin');
    expect(node.log.some((line) => line.includes('an admin request failed'))).toBe(false);
  });
});

describe('the report of a node', () => {
  afterEach(() => node.stop());
  it('sorts topics by rate, and returns no more than requested', async () => {
    node = await TestNode.start({ 'admin.token': TOKEN });
    const client = await node.connect();
    for (const topic of ['scores.slow', 'scores.fast', 'scores.idle']) await client.subscribe(topic);
    let answer: TopicsAnswer | undefined;
    void readTopics('?sort=rate&limit=2').then((read) => {
      answer = read;
    });
    for (let i = 0; answer === undefined; i++) {
      await node.publish('scores.fast', i);
      if (i % 10 === 0) await node.publish('scores.slow', i);
      await setImmediate();
    }
    const { topics, total } = answer as TopicsAnswer;
    expect(total).toBe(3);
    expect(topics.map(({ topic, members }) => [topic, members])).toEqual([
      ['scores.fast', 1],
      ['scores.slow', 1],
    ]);
    expect(topics[0]?.publicationsPerSecond).toBeGreaterThan(topics[1]?.publicationsPerSecond ?? 0);
    for (const query of ['limit=0', `limit=${TOPICS_MAX + 1}`, 'limit=x', 'sort=size']) {
      expect(await refused(fetch(url(`/api/topics?${query}`), { headers: BEARER }))).toEqual([400, 'bad_message']);
    }
  });

  it('names lagging connections, a bounded number of them', async () => {
    node = await TestNode.start({ 'admin.token': TOKEN, 'tuning.fanout.lagThresholdBytes': 4096, 'limits.slowTimeoutMs': 600_000 });
    const clients = await Promise.all(Array.from({ length: LAGGING_SHOWN_MAX + 1 }, () => node.connect()));
    for (const client of clients) {
      await client.subscribe('scores.a');
      client.socket.pause();
    }
    const allLag = async () => {
      for (let i = 0; i < 20; i++) await node.publish('scores.a', 'x'.repeat(60_000));
      const answer = await readNode();
      return answer.workers[0]?.lagging === clients.length ? answer : undefined;
    };
    const { lagging } = await until('every connection to lag', allLag);
    expect(lagging).toHaveLength(LAGGING_SHOWN_MAX);
    expect(lagging[0]).toMatchObject({ worker: 0, connectionId: expect.stringContaining(node.running.nodeId), user: null, topics: 1 });
    expect(lagging.map(({ laggingMs }) => laggingMs)).toEqual(lagging.map(({ laggingMs }) => laggingMs).toSorted((a, b) => b - a));
    expect((await readTopics()).topics[0]).toMatchObject({ members: clients.length, lagging: clients.length });
    for (const client of clients) client.socket.terminate();
  });
});

describe('a node with two worker processes', () => {
  it('adds their connections, members and errors up, and says when one does not answer', async () => {
    const cli = new CliProcess(['serve', '--workers', '2', '--port', String(freePort()), '--admin-port', '0', '--set', 'log.pretty=false']);
    try {
      const [, port, adminPort] = await cli.until(/"port":(\d+),"adminPort":(\d+).*node started/);
      const read = async <T>(path: string) => (await (await fetch(`http://127.0.0.1:${adminPort}${path}`)).json()) as T;
      await until('both workers to listen', async () => (await read<NodeAnswer>('/api/node')).workers.length === 2);
      const clients = await Promise.all(Array.from({ length: 6 }, () => TestClient.connect(`ws://127.0.0.1:${port}/ws`)));
      for (const [index, client] of clients.entries()) {
        await client.subscribe('scores.all');
        if (index < 2) await client.subscribe('scores.two');
      }
      await expect(clients[0]?.subscribe('nowhere.a')).rejects.toThrow();
      const { workers, errors, topics, totals } = await read<NodeAnswer>('/api/node');
      expect(workers.map(({ index }) => index)).toEqual([0, 1]);
      expect(new Set(workers.map(({ pid }) => pid)).size).toBe(2);
      expect(workers.reduce((sum, { connections }) => sum + connections, 0)).toBe(6);
      expect(workers.reduce((sum, { subscriptions }) => sum + subscriptions, 0)).toBe(8);
      expect(errors.sent).toEqual([{ code: 'unknown_namespace', count: 1 }]);
      expect(topics).toBe(2);
      expect(totals.messagesIn).toBe(9);
      const byMembers = await read<TopicsAnswer>('/api/topics?sort=members');
      expect(byMembers.topics.map(({ topic, members, lagging }) => [topic, members, lagging])).toEqual([
        ['scores.all', 6, 0],
        ['scores.two', 2, 0],
      ]);
      const stuck = workers[1]?.pid as number;
      process.kill(stuck, 'SIGSTOP');
      untilStopped(stuck);
      expect(await read<NodeAnswer>('/api/node')).toMatchObject({ workersSilent: 1, workers: [{ index: 0 }] });
      expect(await read<TopicsAnswer>('/api/topics?sort=rate')).toMatchObject({ workersSilent: 1, total: 2 });
      process.kill(stuck, 'SIGCONT');
      await until('both to answer', async () => (await read<NodeAnswer>('/api/node')).workersSilent === 0);
      await Promise.all(clients.map((client) => client.close()));
    } finally {
      await cli.kill();
    }
  });
});
