import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import type { FrameFault } from '../support/frame-proxy.ts';
import { seedMathRandom } from '../support/seed.ts';
import { RESULTS } from './build.ts';
import { FaultRun } from './fault-run.ts';
import type { Outcome, Scenario, Size } from './scenario.ts';
import { monoMs } from './time.ts';

const LOG_LINES = 300;

export interface RunResult extends Outcome {
  readonly number: number;
  readonly title: string;
  readonly size: Size;
  /** Of its random choices. */
  readonly seed: number;
  readonly elapsedMs: number;
}

/**
 * Runs a scenario once. The run always ends its processes, and has a time limit. A failed run leaves the logs of its nodes in a file.
 * @param seed of the random choices of the scenario and the swarm. It does not decide the choices of nodes and servers, nor the timing
 * @param harm what is done to every frame for the swarm, all the time: such a run must fail
 */
export async function runScenario(
  scenario: Scenario,
  size: Size,
  seed: number,
  log: (line: string) => void,
  harm?: FrameFault,
): Promise<RunResult> {
  const { number, title } = scenario;
  // With rests in between, which take longer on a busy machine.
  const timeoutMs = scenario.timeoutMs + (size.minutes ?? 0) * 60_000 * 1.3;
  const said: string[] = [];
  const run = new FaultRun(
    (line) => {
      said.push(`${Math.round(monoMs())} ${line}`);
      log(line);
    },
    size.quick !== true,
    seed,
    harm,
  );
  run.say(`random choices: SEED=${seed} npm run faults -- ${number}`);
  seedMathRandom(seed);
  // Of the last minute, this program's part included: figures of a crowded machine must not pass for those of a quiet one.
  run.figure('loadBeforePercent', ((loadavg()[0] ?? 0) / availableParallelism()) * 100);
  const startMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  try {
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`took longer than ${timeoutMs} ms`)), timeoutMs);
    });
    const running = scenario.execute(run, size);
    // After a cut it fails once more, when its processes end: that is known.
    running.catch(() => undefined);
    await Promise.race([running, tooLong]);
  } catch (error) {
    run.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    clearTimeout(timer);
    await run.end();
  }
  const { outcome } = run;
  if (outcome.failures.length > 0) keepLogs(number, run, [...said, ...outcome.failures, ...outcome.notes], log);
  return { number, title, size, seed, elapsedMs: Math.round(performance.now() - startMs), ...outcome };
}

function keepLogs(number: number, run: FaultRun, said: readonly string[], log: (line: string) => void): void {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${number}-failed-${new Date().toISOString().replaceAll(':', '-')}.log`);
  const logs = run.nodes.map((node) => `--- ${node.name}\n${node.lastLines(LOG_LINES)}`);
  writeFileSync(file, [...said, ...logs].join('\n'));
  log(`logs in ${file}`);
}
