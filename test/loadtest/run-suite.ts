import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { findTool } from '../support/find-tool.ts';

/** Runs of the k6 and artillery suites: `$K6` or k6 on the PATH; `$ARTILLERY`, artillery's `bin/run`, with `$ARTILLERY_NODE` to run it on (it needs Node 22). */
export const SUITES = resolve(import.meta.dirname, '../../loadtest');
export const SECRET = 'a-secret-of-32-characters-at-least';
export const K6 = findTool('K6', 'k6');
export const ARTILLERY = findTool('ARTILLERY');

/** k6 ends so when a threshold is not met. */
const K6_THRESHOLD_CODE = 99;

interface K6Metric extends Readonly<Record<string, number | undefined | object>> {
  readonly count?: number;
  readonly passes?: number;
  readonly fails?: number;
  readonly max?: number;
  /** By threshold: was it crossed? */
  readonly thresholds?: Readonly<Record<string, boolean>>;
}

export interface SuiteRun {
  /** Conditions that were not met, but for those on latencies: this machine may be busy. */
  readonly failed: readonly string[];
  readonly metric: (name: string) => K6Metric | undefined;
  readonly counter: (name: string) => number | undefined;
}

interface Ended {
  readonly code: number;
  readonly output: string;
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(command, args, { cwd: SUITES, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  return { code, output };
}

/** @throws Error when it ends as no run does, or its exit code does not say whether a threshold was crossed */
export async function runK6(script: string, settings: Readonly<Record<string, string | number>>, summary: string): Promise<SuiteRun> {
  const options = Object.entries(settings).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const args = ['run', '--quiet', '--no-usage-report', '--summary-export', summary, ...options, `k6/${script}.js`];
  const { code, output } = await run(K6 ?? '', args);
  if (code !== 0 && code !== K6_THRESHOLD_CODE) throw new Error(`k6 ended with ${code}:\n${output.slice(-4000)}`);
  const { metrics } = JSON.parse(readFileSync(summary, 'utf8')) as { metrics: Record<string, K6Metric> };
  const crossed = Object.entries(metrics).flatMap(([name, { thresholds = {} }]) =>
    Object.entries(thresholds).flatMap(([threshold, isCrossed]) => (isCrossed ? [`${name} ${threshold}`] : [])),
  );
  if ((code === 0) !== (crossed.length === 0)) throw new Error(`k6 ended with ${code}, having crossed ${crossed}`);
  const failed = crossed.filter((threshold) => !threshold.includes('_ms '));
  return { failed, metric: (name) => metrics[`stentor_${name}`], counter: () => undefined };
}

/** Without the thresholds on latencies. @throws Error when its exit code does not say whether a condition was met */
export async function runArtillery(script: string, clients: number, env: NodeJS.ProcessEnv, report: string): Promise<SuiteRun> {
  const overrides = JSON.stringify({ config: { phases: [{ duration: 1, arrivalCount: clients }], ensure: { thresholds: [] } } });
  const args = [ARTILLERY ?? '', 'run', '--overrides', overrides, '--output', report, `artillery/${script}.yaml`];
  const settings = { ...env, DURATION_S: '6', AWAY_S: '1', ARTILLERY_DISABLE_TELEMETRY: 'true' };
  const { code, output } = await run(findTool('ARTILLERY_NODE') ?? process.execPath, args, settings);
  const failed = [...output.matchAll(/^fail: (?:ensure condition )?(.*)$/gm)].map(([, condition = '']) => condition);
  if ((code === 0) !== (failed.length === 0)) throw new Error(`artillery ended with ${code}:\n${output.slice(-4000)}`);
  const { aggregate } = JSON.parse(readFileSync(report, 'utf8')) as { aggregate: { counters: Record<string, number> } };
  return { failed, metric: () => undefined, counter: (name) => aggregate.counters[`stentor.${name}`] };
}
