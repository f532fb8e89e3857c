import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chosenSeed } from '../support/seed.ts';
import { buildChildren, prepareNodes, RESULTS, ROOT } from './build.ts';
import { HELP, type Options, readOptions } from './options.ts';
import { hasOwnNetworks } from './own-network.ts';
import { quickSize } from './quick-size.ts';
import { SCENARIOS } from './registry.ts';
import { tableOf } from './report.ts';
import { type RunResult, runScenario } from './run-scenario.ts';
import type { Scenario, Size } from './scenario.ts';
import { whenQuiet } from './wait-for-quiet.ts';

const options = readOptions(process.argv.slice(2));
const runs: RunResult[] = [];
if (options === undefined) {
  console.log(HELP);
} else {
  // What there is by then is worth having: five repeats of everything take an hour.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      if (options.child === undefined) console.log(tableOf(runs));
      process.exit(1);
    });
  }
  prepareNodes();
  await buildChildren();
  mkdirSync(RESULTS, { recursive: true });
  const file = options.child ?? join(RESULTS, `faults-${new Date().toISOString().replaceAll(':', '-')}.json`);
  await runAll(options, () => writeFileSync(file, JSON.stringify(runs, undefined, 2)));
  if (options.child === undefined) console.log(`${tableOf(runs)}\nwritten to ${file}`);
  process.exit(runs.length > 0 && runs.every(({ failures }) => failures.length === 0) ? 0 : 1);
}

async function runAll(chosen: Options, onRun: () => void): Promise<void> {
  const scenarios = SCENARIOS.filter(({ number }) => chosen.numbers.length === 0 || chosen.numbers.includes(number));
  const known = scenarios.map(({ number }) => number);
  const firstSeed = chosenSeed();
  for (const number of chosen.numbers) if (!known.includes(number)) console.error(`there is no scenario ${number}`);
  // Round by round, so that a busy spell of the machine does not fall on one scenario alone.
  for (let repeat = 1; repeat <= chosen.repeats; repeat++) {
    const seed = firstSeed + repeat - 1;
    for (const scenario of scenarios) {
      const size = sizeOf(scenario, chosen);
      if (chosen.child === undefined) console.error(`${scenario.number}: ${scenario.title} (${repeat} of ${chosen.repeats}, SEED=${seed})`);
      await whenQuiet(chosen.quietWaitMinutes);
      const run = await runOne(scenario, size, seed, chosen);
      if (chosen.child === undefined)
        console.error(
          `${scenario.number}: ${run.failures.length === 0 ? 'pass' : `FAIL: ${run.failures.join('; ')}`} (${Math.round(run.elapsedMs / 1000)} s)`,
        );
      runs.push(run);
      onRun();
    }
  }
}

async function runOne(scenario: Scenario, size: Size, seed: number, chosen: Options): Promise<RunResult> {
  if (scenario.ownNetwork === true && chosen.child === undefined && hasOwnNetworks()) return runInOwnNetwork(scenario, size, seed, chosen);
  return runScenario(scenario, size, seed, (line) => {
    if (chosen.verbose) console.error(`  ${line}`);
  });
}

/** The same program, this scenario alone, in a network namespace that ends with it. */
function runInOwnNetwork(scenario: Scenario, size: Size, seed: number, chosen: Options): RunResult {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-faults-'));
  const file = join(folder, 'runs.json');
  try {
    const counts = ['--clients', String(size.clients), '--rate', String(size.ratePerSecond), '--topics', String(size.topics)];
    const args = [String(scenario.number), '--child', file, ...counts];
    const flags = [...(chosen.quick ? ['--quick'] : []), ...(chosen.verbose ? ['--verbose'] : [])];
    const script = 'ip link set lo up && exec "$@"';
    const command = [process.execPath, '--import', 'tsx', join(ROOT, 'test/faults/run.ts'), ...args, ...flags];
    const env = { ...process.env, STENTOR_FAULTS_OWN_NETWORK: '1', SEED: String(seed) };
    spawnSync('unshare', ['--net', 'sh', '-c', script, 'sh', ...command], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], env });
    return (JSON.parse(readFileSync(file, 'utf8')) as RunResult[])[0]!;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sizeOf(scenario: Scenario, { clients, ratePerSecond, topics, checks, books, minutes, quick }: Options): Size {
  const size = quick ? quickSize(scenario.size) : scenario.size;
  return {
    ...size,
    books,
    checks: checks ?? size.checks,
    clients: clients ?? size.clients,
    ratePerSecond: ratePerSecond ?? size.ratePerSecond,
    topics: topics ?? size.topics,
    ...(size.minutes !== undefined && { minutes: minutes ?? size.minutes }),
  };
}
