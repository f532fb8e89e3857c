import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildChildren, ROOT } from './build.ts';
import { busyBaseline } from './measure/busy-baseline.ts';
import { emptyRun } from './measure/empty-run.ts';
import { summarize } from './measure/summary.ts';
import type { RunResult } from './measure/types.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { renderPage } from './report/html.ts';
import { createProgress, type Progress } from './report/progress.ts';
import { type Results, type ScenarioResult, thisMachine } from './report/results.ts';
import { printScenario } from './report/table.ts';
import type { Overrides, Scenario } from './scenarios/scenario.ts';
import { serverNamed } from './servers/registry.ts';
import type { ServerUnderTest } from './servers/server.ts';

async function main(argv: readonly string[]): Promise<void> {
  const options = parseOptions(argv, join(ROOT, 'loadtest', 'results'));
  await buildChildren();
  const startedAt = new Date().toISOString();
  const plans: Plan[] = options.scenarios.map((scenario) => ({ scenario, ...choose(scenario, options), overrides: options.overrides }));
  const progress = createProgress(plans.reduce((sum, { servers }) => sum + servers.length * options.pairs, 0));
  const scenarios: ScenarioResult[] = [];
  const command = `npm run bench -- ${argv.join(' ')}`;
  for (let plan = plans.shift(); plan !== undefined; plan = plans.shift()) {
    const { scenario, servers, missing } = plan;
    const runs = await runPairs(plan, options.pairs, progress);
    const result = { ...scenario, ...summarize(scenario, runs), runs, missing };
    scenarios.push(result);
    // Written after each scenario: an hour's figures must not hang on the last one.
    save(options.out, { startedAt, command, quick: options.overrides.quick, machine: thisMachine(), scenarios });
    const busy = options.repeatBusy ? busyBaseline(result) : undefined;
    if (busy === undefined) continue;
    plans.unshift(atLowerRate(plan, busy.lowerRate));
    progress.expect(servers.length * options.pairs);
  }
  progress.end();
  for (const result of scenarios) console.log(printScenario(result));
  console.log(`\n${join(options.out, fileName(startedAt, scenarios))}.json and .html`);
}

interface Plan {
  readonly scenario: Scenario;
  readonly servers: readonly ServerUnderTest[];
  readonly missing: Readonly<Record<string, string>>;
  readonly overrides: Overrides;
}

function atLowerRate({ scenario, overrides, ...plan }: Plan, rate: number): Plan {
  return {
    ...plan,
    scenario: { ...scenario, title: `${scenario.title}; repeated at ${rate} a second` },
    overrides: { ...overrides, rate },
  };
}

function choose(scenario: Scenario, options: BenchOptions): { servers: ServerUnderTest[]; missing: Record<string, string> } {
  const wanted = options.servers.length > 0 ? options.servers : scenario.servers.map(serverNamed);
  const missing: Record<string, string> = {};
  for (const server of wanted) {
    const why = server.missing();
    if (why !== undefined) missing[server.name] = why;
  }
  return { servers: wanted.filter((server) => missing[server.name] === undefined), missing };
}

/** The order is A B A B, so other load of the machine affects both halves of a pair. */
async function runPairs({ scenario, servers, overrides }: Plan, pairs: number, progress: Progress): Promise<RunResult[]> {
  const runs: RunResult[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    for (const server of servers) {
      progress.starting(scenario.name, server.name, pair);
      const run = await scenario.run(server, pair, overrides).catch((error: unknown) => {
        return emptyRun(server.name, pair, {}, error instanceof Error ? error.message : String(error));
      });
      runs.push(run);
      progress.done(scenario.name, run);
    }
  }
  return runs;
}

function fileName(startedAt: string, scenarios: readonly ScenarioResult[]): string {
  const different = [...new Set(scenarios.map(({ name }) => name))];
  const names = different.length > 3 ? `${different.length}-scenarios` : different.join('+');
  return `${startedAt.slice(0, 19).replaceAll(':', '-')}-${names}`;
}

let saved: string | undefined;

/** Each save replaces the one before, under a name that lists the scenarios so far. */
function save(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, fileName(results.startedAt, results.scenarios));
  writeFileSync(`${file}.json`, JSON.stringify(results, null, 1));
  writeFileSync(`${file}.html`, renderPage(results));
  if (saved !== undefined && saved !== file) for (const ending of ['json', 'html']) rmSync(`${saved}.${ending}`, { force: true });
  saved = file;
}

await main(process.argv.slice(2));
