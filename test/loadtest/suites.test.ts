import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliProcess } from '../cli/run-cli.ts';
import { findTool } from '../support/find-tool.ts';

/**
 * The k6 and artillery suites, small, where the tools are found: `$K6` or k6 on the PATH; `$ARTILLERY`, artillery's `bin/run`, with `$ARTILLERY_NODE`
 * to run it on (it needs Node 22). They prove that the scripts speak the protocol; how fast anything is they do not ask here.
 */
const SUITES = resolve(import.meta.dirname, '../../loadtest');
const SECRET = 'a-secret-of-32-characters-at-least';
const K6 = findTool('K6', 'k6');
const ARTILLERY = findTool('ARTILLERY');
const ENCODINGS = ['msgpack', 'json'];

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  const child = spawn(command, args, { cwd: SUITES, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${output.slice(-4000)}`);
}

describe.runIf(K6 !== undefined || ARTILLERY !== undefined)('the suites of other load-testing tools', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-suites-'));
  let node: CliProcess;
  let url = '';

  beforeAll(async () => {
    const keys = JSON.stringify([{ alg: 'HS256', secret: SECRET }]);
    const args = ['serve', '--config', join(SUITES, 'k6/node.yaml'), '--port', '0', '--admin-port', '0'];
    node = new CliProcess(args, { env: { STENTOR_AUTH_KEYS: keys } });
    const [, port] = await node.until(/"port":(\d+),"adminPort":\d+.*node started/);
    url = `ws://127.0.0.1:${port}/ws`;
  });
  afterAll(async () => {
    await node.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  describe.runIf(K6 !== undefined)('k6', () => {
    async function k6(script: string, settings: Readonly<Record<string, string | number>>) {
      const summary = join(folder, 'k6.json');
      const all = { URL: url, SECRET, ...settings };
      const options = Object.entries(all).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
      await run(K6 ?? '', [
        'run',
        '--quiet',
        '--no-usage-report',
        '--no-thresholds',
        '--summary-export',
        summary,
        ...options,
        `k6/${script}.js`,
      ]);
      const { metrics } = JSON.parse(readFileSync(summary, 'utf8')) as { metrics: Record<string, Record<string, number>> };
      return (name: string) => metrics[`stentor_${name}`];
    }

    it.each(ENCODINGS)('broadcasts to every client, without a gap, in %s', async (encoding) => {
      const metric = await k6('broadcast', { ENCODING: encoding, TOPIC: `load.k6-${encoding}`, CONNECTIONS: 10, DURATION_S: 3, RATE: 20 });
      expect(metric('connected')?.passes).toBe(10);
      expect(metric('acked')).toMatchObject({ passes: 60, fails: 0 });
      expect(metric('items')?.count).toBe(600);
      expect(metric('gaps')?.count).toBe(0);
    });

    it.each(ENCODINGS)('brings every client back from a storm, recovered, in %s', async (encoding) => {
      const settings = { ENCODING: encoding, TOPIC: `load.k6-storm-${encoding}`, CONNECTIONS: 10, DURATION_S: 4, RATE: 20, AWAY_S: 1 };
      const metric = await k6('reconnect-storm', settings);
      expect(metric('recovered')).toMatchObject({ passes: 10, fails: 0 });
      expect(metric('items')?.count).toBe(800);
      expect(metric('gaps')?.count).toBe(0);
    });

    it('ramps connections up', async () => {
      const metric = await k6('connect-ramp', { CONNECTIONS: 20, DURATION_S: 2 });
      expect(metric('connected')).toMatchObject({ passes: 20, fails: 0 });
      expect(metric('lost')?.count ?? 0).toBe(0);
    });

    it('publishes, and gets every ack', async () => {
      const metric = await k6('publish', { DURATION_S: 2, RATE: 20, PUBLISHERS: 2 });
      expect(metric('acked')).toMatchObject({ passes: 40, fails: 0 });
    });
  });

  describe.runIf(ARTILLERY !== undefined)('artillery', () => {
    async function artillery(script: string, encoding: string, clients: number) {
      const output = join(folder, 'artillery.json');
      const overrides = JSON.stringify({ config: { phases: [{ duration: 1, arrivalCount: clients }], ensure: { thresholds: [] } } });
      const env = { URL: url, SECRET, ENCODING: encoding, TOPIC: `load.artillery-${script}-${encoding}`, DURATION_S: '6', AWAY_S: '1' };
      const args = [ARTILLERY ?? '', 'run', '--quiet', '--overrides', overrides, '--output', output, `artillery/${script}.yaml`];
      await run(findTool('ARTILLERY_NODE') ?? process.execPath, args, { ...env, ARTILLERY_DISABLE_TELEMETRY: 'true' });
      const { aggregate } = JSON.parse(readFileSync(output, 'utf8')) as { aggregate: { counters: Record<string, number> } };
      return aggregate.counters;
    }

    it.each(ENCODINGS)('broadcasts without a gap in %s', async (encoding) => {
      const counters = await artillery('broadcast', encoding, 10);
      expect(counters).toMatchObject({ 'stentor.subscribed': 10, 'stentor.gaps': 0, 'stentor.lost': 0, 'stentor.not_acked': 0 });
      expect(counters['stentor.items']).toBeGreaterThan(0);
    });

    it.each(ENCODINGS)('brings every client back from a storm in %s', async (encoding) => {
      const counters = await artillery('reconnect-storm', encoding, 10);
      expect(counters).toMatchObject({ 'stentor.gaps': 0, 'stentor.not_recovered': 0 });
      expect(counters['stentor.recovered']).toBeGreaterThanOrEqual(8);
    });

    it('ramps connections up', async () => {
      expect(await artillery('connect-ramp', 'msgpack', 20)).toMatchObject({ 'stentor.subscribed': 20, 'stentor.lost': 0 });
    });

    it('publishes, and gets every ack', async () => {
      expect(await artillery('publish', 'msgpack', 2)).toMatchObject({ 'stentor.not_acked': 0, 'vusers.failed': 0 });
    });
  });
});
