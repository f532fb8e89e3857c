import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { NodeProcess } from '../support/node-process.ts';
import { until } from '../support/until.ts';
import { CliProcess, runCli } from './run-cli.ts';

const TOKEN = 'the-operators-token';
const env = { STENTOR_ADMIN_TOKEN: TOKEN };
const NAMESPACES = { scores: { public: true }, ticks: { public: true, state: 'keyed' }, brief: { public: true, durable: false } };

describe('stentor plan', () => {
  const plan = (...args: string[]) => runCli(['plan', ...args]);

  it('says how many nodes a load needs, and what each does', async () => {
    const { code, stdout } = await plan('--connections', '2M', '--rate', '5');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^nodes +\d+ with 3 workers \(one less: .*\)\neach node +.*\nCPU +.*\na connection .*\nmemory .*\nnetwork .*\nNATS .*\nconstants .*\n/,
    );
    const users = await plan(
      '--connections',
      '1K',
      '--topics',
      '1K',
      '--members',
      '1',
      '--rate',
      '0.1',
      '--ephemeral',
      '--nodes',
      '3',
      '--json',
    );
    expect(JSON.parse(users.stdout)).toMatchObject({
      nodes: 3,
      workersPerNode: 3,
      node: { connections: expect.closeTo(333, 0), unknown: [] },
    });
  });

  it('says if no number of nodes can carry it, or not as many as are asked about', async () => {
    const flood = await plan('--connections', '1M', '--rate', '1M');
    expect([flood.code, flood.stdout]).toEqual([1, '']);
    expect(flood.stderr).toMatch(/^stentor: impossible: not even 100,000 nodes can carry it: a worker would use [\d.]+% of a core\. Use /);
    const few = await plan('--connections', '2M', '--rate', '5', '--nodes', '3');
    expect([few.code, few.stdout]).toEqual([1, expect.stringContaining('666,667 connections')]);
    expect(few.stderr).toMatch(/^stentor: too_few: 3 nodes cannot carry it: .+; \d+ can\n$/);
  });
});

describe('stentor bench', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await TestNode.start({ 'admin.token': TOKEN, namespaces: NAMESPACES });
  });
  afterAll(() => node?.stop());
  const bench = (topic: string, ...args: string[]) => {
    const where = ['--url', node.url, '--admin-url', `http://127.0.0.1:${node.running.adminPort}`];
    // The verdict must not depend on how busy the machine of the tests is.
    return runCli(['bench', topic, ...where, '--p99', '60s', '--connections', '40', '--duration', '1s', ...args], { env });
  };

  it.each(['json', 'msgpack'])('opens connections, publishes to all, and says that all got everything, in %s', async (encoding) => {
    const { code, stdout, stderr } = await bench('scores.bench', '--rate', '50', '--encoding', encoding, '--processes', '2', '--json');
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      connections: { wanted: 40, ready: 40, closed: 0, refusal: '' },
      publications: { wanted: 50, stored: 50 },
      deliveries: { expected: 2000, delivered: 2000, skipped: 0, repeated: 0, clientsBehind: 0 },
    });
    expect(result.latency.maxMs).toBeGreaterThan(0);
    // A slow machine may miss the rate.
    expect([result.verdict, code]).toEqual(result.reasons.length === 0 ? ['good', 0] : ['bad', 1]);
    expect(stderr).toContain('opening 40 connections\npublishing 50 times to scores.bench\n');
    await node.untilMetric('stentor_connections', (count) => count === 0);
  });

  it('calibrates the constants that stentor plan takes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stentor-calibrate-'));
    const path = join(folder, 'mine.json');
    const { code, stderr } = await bench('brief.bench', '--calibrate', path, '--connections', '100');
    // A test's machine may be too busy to measure anything.
    if (code !== 0) return expect(stderr).toContain('too busy');
    expect(stderr).toContain('calibrating: writes with several publications');
    const planned = await runCli(['plan', '--connections', '1000', '--constants', path, '--json']);
    expect(JSON.parse(planned.stdout)).toMatchObject({ nodes: expect.any(Number), measured: expect.stringContaining('cores') });
    rmSync(folder, { recursive: true });
  });

  it('prints a table for people, and works with ephemeral topics', async () => {
    const { stdout } = await bench('brief.bench', '--rate', '20');
    expect(stdout).toMatch(
      /^connections +40 of 40, .*\npublications +20 of 20, .*\ndeliveries +800 of 800, .*\nlatency +p50 .*\nclients' CPU .*\nverdict +(good|bad)\n/,
    );
  });

  it('is bad, with the reason, where clients or publications are refused', async () => {
    expect(await bench('ticks.bench')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('stentor: key_required: cannot publish to ticks.bench'),
    });
    const closed = await bench('nowhere.bench', '--json');
    expect([closed.code, JSON.parse(closed.stdout).reasons]).toEqual([
      1,
      [expect.stringMatching(/^no connection could be opened: unknown_namespace/)],
    ]);
    const elsewhere = await bench('scores.bench', '--url', `ws://127.0.0.1:${freePort()}/ws`);
    expect([elsewhere.code, elsewhere.stderr]).toEqual([
      1,
      expect.stringContaining('stentor: bad_verdict: no connection could be opened: connect ECONNREFUSED'),
    ]);
  });

  it('does not calibrate a node with several workers, whose CPU would be taken for that of one', async () => {
    const two = NodeProcess.launch({ 'admin.token': TOKEN, namespaces: NAMESPACES });
    try {
      await two.untilStarted(2);
      const where = ['--url', two.url, '--admin-url', `http://127.0.0.1:${two.adminPort}`];
      expect(await bench('brief.bench', ...where, '--connections', '100', '--calibrate', join(tmpdir(), 'unused.json'))).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('stentor: unsuitable: the node has 2 workers'),
      });
    } finally {
      await two.stop();
    }
  });

  it('takes no more places than there are', async () => {
    const small = await TestNode.start({ 'admin.token': TOKEN, namespaces: NAMESPACES, 'limits.connectionsPerWorkerMax': 10 });
    try {
      const full = await bench('scores.bench', '--url', small.url, '--admin-url', `http://127.0.0.1:${small.running.adminPort}`);
      expect(full).toMatchObject({ code: 1, stderr: expect.stringContaining('the nodes have room for 10 more connections, not for 40') });
    } finally {
      await small.stop();
    }
  });

  it('ends at SIGINT with what it has measured, and leaves no connection', async () => {
    const where = ['--url', node.url, '--admin-url', `http://127.0.0.1:${node.running.adminPort}`];
    const process = new CliProcess(['bench', 'scores.bench', ...where, '--connections', '10', '--duration', '5m', '--json'], { env });
    await process.until(/publishing/);
    const before = await node.metric('stentor_deliveries_total');
    await until('something to be published', async () => (await node.metric('stentor_deliveries_total')) > before);
    process.signal('SIGINT');
    const { code, stdout } = await process.ended;
    expect([code, JSON.parse(stdout).verdict]).toEqual([1, 'bad']);
    await node.untilMetric('stentor_connections', (count) => count === 0);
  });
});

describe('stentor doctor', () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server?.stop());

  const doctor = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli(['doctor', '--json', '--nats-url', server.url, ...args], { env });
    const { findings, problems } = JSON.parse(stdout) as { findings: { check: string; state: string; text: string }[]; problems: number };
    const states = Object.fromEntries(findings.map(({ check, state }) => [check, state]));
    return { code, stderr, findings, problems, states };
  };

  it('creates nothing, and says what a node would create or lack', async () => {
    const first = await doctor();
    expect(first.states).toMatchObject({ nats_permissions: 'ok', stream_scores: 'ok', platform: 'ok', uws: 'ok' });
    expect(first.findings.find(({ check }) => check === 'stream_scores')?.text).toContain('the node will create it');
    const again = await doctor('--set', 'nats.manageStreams=false');
    expect(again).toMatchObject({
      code: 1,
      states: { stream_scores: 'problem' },
      stderr: expect.stringMatching(/^stentor: unhealthy: \d problems: see above/),
    });
    expect((await runCli(['setup', '--nats-url', server.url])).code).toBe(0);
    const done = await doctor('--set', 'nats.manageStreams=false');
    expect(done.states).toMatchObject({ stream_scores: 'ok', nats_clock: 'ok' });
    expect(done.states).not.toHaveProperty('node_clock');
  });

  it('names a permission that is missing', async () => {
    await server.reload(
      `authorization { users = [{ user: node, password: s, permissions: { publish: { deny: ["stentor.control", "stentor.control.>"] } } }] }`,
    );
    try {
      const login = ['--set', 'nats.user=node', '--set', 'nats.password=s'];
      const { code, findings, states } = await doctor(...login);
      expect([code, states.nats_permissions]).toEqual([1, 'problem']);
      expect(findings.filter(({ check }) => check === 'nats_permissions').map(({ text }) => text)).toEqual([
        expect.stringContaining('the user needs "stentor.control" in permissions.publish'),
        expect.stringContaining('the user needs "stentor.control.>" in permissions.publish'),
      ]);
      expect((await doctor()).findings.find(({ check }) => check === 'nats')?.text).toMatch(/^bus_unreachable: /);
    } finally {
      await server.reload('');
    }
  });

  it('compares the clocks of nodes if one answers, and prints a line for each finding', async () => {
    const settings = { 'nats.url': server.url, 'admin.token': TOKEN, 'tuning.hub.announceIntervalMs': 100 };
    const nodes = [await TestNode.start({ ...settings, nodeId: 'one' }), await TestNode.start({ ...settings, nodeId: 'two' })];
    try {
      const url = `http://127.0.0.1:${nodes[0]?.running.adminPort}`;
      await until('the second to be known', async () =>
        (await (await nodes[0]?.admin('/api/nodes', { Authorization: `Bearer ${TOKEN}` }))?.text())?.includes('"two"'),
      );
      const { stdout } = await runCli(['doctor', '--nats-url', server.url, '--admin-url', url], { env });
      expect(stdout).toMatch(/^ok +the clocks of node two and of this machine differ by \d+ ms$/m);
      expect(stdout).not.toContain('no node answers');
    } finally {
      for (const node of nodes) await node.stop();
    }
  });

  it('says why NATS cannot be reached, and refuses a config that is invalid', async () => {
    const { stdout, code } = await runCli([
      'doctor',
      '--nats-url',
      `nats://127.0.0.1:${freePort()}`,
      '--set',
      'tuning.nats.connectTimeoutMs=500',
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^PROBLEM +bus_unreachable: .*\n +→ The node will not start/m);
    expect((await runCli(['doctor', '--set', 'workers=many'])).code).toBe(2);
  });
});
