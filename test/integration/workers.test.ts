import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { workerOf } from '../support/connection-id.ts';
import { freePort } from '../support/free-port.ts';
import { isAlive } from '../support/is-alive.ts';
import { NodeProcess } from '../support/node-process.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { untilStopped } from '../support/until-stopped.ts';

const NAMESPACES = { scores: { public: true }, chat: { clientPublish: true } };
const nodes: NodeProcess[] = [];

async function start(settings: Record<string, unknown> = {}, args: readonly string[] = []): Promise<NodeProcess> {
  const node = NodeProcess.launch({ namespaces: NAMESPACES, ...settings }, { args });
  nodes.push(node);
  await node.untilStarted(Number(settings.workers ?? 2));
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

/** Clients that follow `scores.a`, by worker. */
async function clientsByWorker(node: NodeProcess, count: number): Promise<Map<string, TestClient[]>> {
  const byWorker = new Map<string, TestClient[]>();
  for (let i = 0; i < count; i++) {
    const client = await node.connect();
    const { connectionId } = await client.get('connected', { type: 'connect' });
    const worker = workerOf(connectionId);
    byWorker.set(worker, [...(byWorker.get(worker) ?? []), client]);
    client.track('scores.a');
    await client.subscribe('scores.a');
  }
  return byWorker;
}

/** Publishes 1, 2, 3, … on `scores.a` until stopped. */
function startFeed(node: NodeProcess, data: (n: number) => unknown = (n) => n) {
  let stopped = false;
  let count = 0;
  const running = (async () => {
    while (!stopped) await node.publish('scores.a', data(++count));
  })();
  return {
    get count() {
      return count;
    },
    stop: async () => {
      stopped = true;
      await running;
      return count;
    },
  };
}

function expectWhole(client: TestClient): void {
  const { items, gaps, duplicates } = client.track('scores.a');
  expect({ gaps, duplicates }).toEqual({ gaps: 0, duplicates: 0 });
  const [first, last] = [items[0]?.offset ?? 0, items.at(-1)?.offset ?? 0];
  expect(items.length).toBe(last - first + 1);
}

describe('workers', () => {
  it('share one port, and their metrics are added up', async () => {
    const node = await start();
    const byWorker = await clientsByWorker(node, 24);
    expect(byWorker.size).toBe(2);
    expect(await node.metric('stentor_connections')).toBe(24);
    expect(await node.metric('stentor_subscriptions')).toBe(24);
    expect(await node.metric('stentor_workers')).toBe(2);
    await node.publish('scores.a', 1);
    await Promise.all([...byWorker.values()].flat().map((client) => client.until('it', () => client.track('scores.a').items.length === 1)));
    await until('all deliveries to be counted', async () => (await node.metric('stentor_deliveries_total')) === 24);
    expect(await node.metric('stentor_publications_in_total')).toBe(1);
  });

  it('start to listen at the same time, so that a reconnect storm finds all of them', async () => {
    const { lines } = await start({ workers: 3 });
    const order = lines.filter(({ msg }) => msg === 'worker started' || msg === 'worker listening').map(({ msg }) => msg);
    expect(order).toEqual([
      'worker started',
      'worker started',
      'worker started',
      'worker listening',
      'worker listening',
      'worker listening',
    ]);
  });

  it('lose no connecting client while they are busy, up to connectsWaitingMax', async () => {
    const node = await start({ workers: 1, 'tuning.connections.connectsWaitingMax': 2048 });
    const [busy] = node.workerPids as [number];
    process.kill(busy, 'SIGSTOP');
    // The kernel spreads them over four sockets at random: some queues would be full with 2,048.
    const sockets = Array.from({ length: 1500 }, () => connect({ host: '127.0.0.1', port: node.port }));
    try {
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      const answers = sockets.map((socket) => once(socket, 'data'));
      for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      process.kill(busy, 'SIGCONT');
      const statuses = (await Promise.all(answers)).map(([data]) => String(data).slice(0, 12));
      expect(new Set(statuses)).toEqual(new Set(['HTTP/1.1 404']));
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  it('fail alone: kill -9 of one under load does not affect the clients of others, and it is restarted', async () => {
    const node = await start();
    const byWorker = await clientsByWorker(node, 30);
    const all = [...byWorker.values()].flat();
    const gone = new Set<TestClient>();
    for (const client of all) void client.closed.then(() => gone.add(client));
    const feed = startFeed(node);
    await until('some publications', () => feed.count > 50);
    const [victim] = node.workerPids as [number];
    process.kill(victim, 'SIGKILL');
    await node.untilLine('worker listening', ({ worker, pid }) => worker === 0 && pid !== victim);
    expect(await node.metric('stentor_worker_restarts_total')).toBe(1);
    const atReturn = feed.count;
    await until('more publications', () => feed.count > atReturn + 50);
    const count = await feed.stop();

    const [lost, kept] = [...byWorker.values()].sort((a, b) => Number(gone.has(b[0]!)) - Number(gone.has(a[0]!))) as [
      TestClient[],
      TestClient[],
    ];
    expect(all.filter((client) => gone.has(client) !== lost.includes(client))).toEqual([]);
    for (const client of kept) {
      await client.until('the end', () => client.track('scores.a').last === count);
      expectWhole(client);
    }
    for (const client of lost) expect(await client.closed).toMatchObject({ code: 1006 });

    // Those who lost theirs resume where they were, wherever they land.
    const { epoch } = kept[0]!.track('scores.a');
    const again = await clientsByWorker(node, 30);
    expect(again.size).toBe(2);
    for (const client of [...again.values()].flat().slice(0, 5)) {
      const resumed = await client.subscribe('scores.a', { since: { epoch, offset: 40 } });
      expect(resumed.recovered).toBe(true);
      expect(resumed.items).toHaveLength(count - 40);
    }
    expect(await node.metric('stentor_connections')).toBe(kept.length + 30);
  });

  it('that no longer read their messages are restarted, and the clients of others are not affected', async () => {
    const bytes = {
      'tuning.hub.linkQueueBytesMax': 1_048_576,
      'tuning.answers.answerBytesPerWorkerMax': 524_288,
      'tuning.recovery.recoveryBytesMax': 524_288,
    };
    const node = await start(bytes);
    const byWorker = await clientsByWorker(node, 20);
    const all = [...byWorker.values()].flat();
    const gone = new Set<TestClient>();
    for (const client of all) void client.closed.then(() => gone.add(client));
    const [stuck] = node.workerPids as [number];
    process.kill(stuck, 'SIGSTOP');
    const feed = startFeed(node, () => 'x'.repeat(60_000));
    await node.untilLine('worker does not read its messages; restarting', ({ worker }) => worker === 0);
    await node.untilLine('worker listening', ({ worker, pid }) => worker === 0 && pid !== stuck);
    const count = await feed.stop();
    for (const client of all.filter((each) => !gone.has(each))) {
      await client.until('the end', () => client.track('scores.a').last === count);
      expectWhole(client);
    }
    expect(gone.size).toBeGreaterThan(0);
    expect(gone.size).toBeLessThan(all.length);
    expect(isAlive(stuck)).toBe(false);
    expect(node.lines.filter(({ msg }) => msg.startsWith('worker does not read its messages')).length).toBe(1);
  });

  it('end by themselves when their hub is killed, and tell their clients to go elsewhere', async () => {
    const node = await start();
    const byWorker = await clientsByWorker(node, 10);
    const pids = node.workerPids;
    node.signal('SIGKILL');
    for (const client of [...byWorker.values()].flat()) {
      expect(await client.closed).toEqual({ code: 4200, reason: 'node draining' });
      expect(client.messages.at(-1)).toMatchObject({ type: 'closing', code: 4200 });
    }
    await until('the workers to end', () => pids.every((pid) => !isAlive(pid)));
  });
});

describe('SIGTERM', () => {
  it('drains: every client is told and closed with 4200, the node is not ready meanwhile, and it exits with 0', async () => {
    const node = await start({ 'hub.drainConnectionsPerSecond': 20 });
    const clients = [...(await clientsByWorker(node, 60)).values()].flat();
    const pids = node.workerPids;
    expect((await node.admin('/health/ready')).status).toBe(200);
    // Clients that talk while they are sent away get their goodbye all the same.
    const chatter = setInterval(() => {
      for (const client of clients) if (client.socket.readyState === 1) client.send({ type: 'ping' });
    }, 5);
    node.signal('SIGTERM');
    await node.untilLine('node stopping');
    const ready = await node.admin('/health/ready');
    expect({ status: ready.status, text: (await ready.text()).trim() }).toEqual({ status: 503, text: 'draining' });
    expect((await node.admin('/health/live')).status).toBe(200);
    await expect(node.connect()).rejects.toThrow();
    const closed = await Promise.all(clients.map((client) => client.closed)).finally(() => clearInterval(chatter));
    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([4200]));
    for (const client of clients) {
      expect(client.messages.findLast(({ type }) => type === 'closing')).toEqual({
        type: 'closing',
        code: 4200,
        reason: 'node draining',
        reconnectAfterMs: { min: expect.any(Number), max: expect.any(Number) },
      });
    }
    expect(await node.ended).toEqual({ code: 0, signal: null });
    expect(pids.some(isAlive)).toBe(false);
  });

  it('drains within the timeout, however low the rate: every client is told', async () => {
    for (const workers of [0, 2]) {
      const node = await start({ workers, 'hub.drainConnectionsPerSecond': 1, 'hub.drainTimeoutMs': 2000 });
      const clients = [...(await clientsByWorker(node, 20)).values()].flat();
      node.signal('SIGTERM');
      expect(new Set((await Promise.all(clients.map((client) => client.closed))).map(({ code }) => code))).toEqual(new Set([4200]));
      expect(await node.ended).toEqual({ code: 0, signal: null });
    }
  });

  it('ends a worker that is stuck when the time allowed is over', async () => {
    const node = await start({ 'hub.drainTimeoutMs': 1000 });
    const [stuck] = node.workerPids as [number];
    process.kill(stuck, 'SIGSTOP');
    untilStopped(stuck);
    node.signal('SIGTERM');
    expect(await node.ended).toEqual({ code: 0, signal: null });
    expect(isAlive(stuck)).toBe(false);
    expect(node.lines.some(({ msg }) => msg.startsWith('drain timed out'))).toBe(true);
  });

  it('and SIGINT may reach the workers as well, as Ctrl-C does: the hub decides', async () => {
    const node = await start();
    const clients = [...(await clientsByWorker(node, 10)).values()].flat();
    for (const pid of [...node.workerPids, node.pid]) process.kill(pid, 'SIGINT');
    for (const client of clients) expect(await client.closed).toMatchObject({ code: 4200 });
    expect(await node.ended).toEqual({ code: 0, signal: null });
  });
});

describe('a node that cannot start', () => {
  async function failure(settings: Record<string, unknown>): Promise<{ code: number | null; output: string }> {
    const node = NodeProcess.launch({ namespaces: NAMESPACES, ...settings });
    nodes.push(node);
    const { code } = await node.ended;
    return { code, output: node.output };
  }

  it('reports that its port is in use, and exits with 1', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };
    try {
      for (const workers of [0, 2]) {
        const { code, output } = await failure({ port, workers });
        expect(code).toBe(1);
        expect(output).toMatch(new RegExp(`stentor: listen_failed: cannot listen on 127.0.0.1:${port}: .*EADDRINUSE`));
      }
      const { code, output } = await failure({ 'admin.port': port });
      expect(code).toBe(1);
      expect(output).toContain(`listen_failed: cannot listen on 127.0.0.1:${port} (admin)`);
    } finally {
      blocker.close();
    }
  });

  it('is a second one on the port of another: the first one keeps all clients', async () => {
    const port = freePort();
    const first = await start({ port });
    for (const workers of [0, 2]) {
      const { code, output } = await failure({ port, workers });
      expect(code).toBe(1);
      expect(output).toContain('listen_failed');
    }
    expect((await clientsByWorker(first, 10)).size).toBeGreaterThan(0);
    expect(await first.metric('stentor_connections')).toBe(10);
  });
});

describe('the log', () => {
  it('of hub and workers has no token, at any level', async () => {
    const node = await start({ 'log.level': 'trace', 'auth.allowQueryToken': true });
    const token = await tokenOf({ sub: 'alice' });
    const secret = token.split('.')[2] as string;
    const forged = `${token.slice(0, -4)}AAAA`;
    await (await node.connect({ encoding: 'json', token })).next('connected');
    await (await node.connect({ encoding: 'json', protocols: ['stentor.v1.json', `bearer.${token}`] })).next('connected');
    for (const bad of [forged, await tokenOf({ expiresInMs: -60_000 })]) {
      await node.connect({ encoding: 'json', token: bad }).then(
        (client) => client.closed,
        () => undefined,
      );
      const client = await node.connect({ encoding: 'json' });
      client.send({ type: 'connect', id: 1, token: bad });
      await client.closed;
    }
    const client = await node.connect({ encoding: 'json' });
    await client.get('connected', { type: 'connect', token });
    await client.get('refreshed', { type: 'refresh', token });
    client.sendBytes(`{"type":"refresh","id":1,"token":"${token}"`);
    await client.next('error');
    await client.close();
    await fetch(`http://127.0.0.1:${node.port}/ws?token=${token}`, { headers: { authorization: `Bearer ${token}` } });
    await node.admin('/metrics', { headers: { authorization: `Bearer ${token}` } });
    node.signal('SIGTERM');
    await node.ended;
    for (const text of [secret, forged, token.split('.')[1] as string, 'an-admin-token-of-the-tests', 'a-secret-of-thirty-two']) {
      expect(node.output).not.toContain(text);
    }
  });
});
