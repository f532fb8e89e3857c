import { availableParallelism, loadavg } from 'node:os';
import type { Outcome, Scenario, Size } from './scenario.ts';
import { Stage } from './stage.ts';

export interface Run extends Outcome {
  readonly number: number;
  readonly title: string;
  readonly size: Size;
  readonly elapsedMs: number;
}

/** One run of one scenario, ended whatever happens, and cut off when it takes too long. */
export async function runScenario(scenario: Scenario, size: Size, log: (line: string) => void): Promise<Run> {
  const { number, title, timeoutMs } = scenario;
  const stage = new Stage(log);
  // Of the last minute, this program's part included: figures of a crowded machine must not pass for those of a quiet one.
  stage.figure('loadBeforePercent', ((loadavg()[0] ?? 0) / availableParallelism()) * 100);
  const startMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  try {
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`took longer than ${timeoutMs} ms`)), timeoutMs);
    });
    const running = scenario.run(stage, size);
    // After a cut it fails once more, when its processes end: that is known.
    running.catch(() => undefined);
    await Promise.race([running, tooLong]);
  } catch (error) {
    stage.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    for (const node of stage.nodes) log(`last lines of ${node.name}:\n${node.lastLines(15)}`);
  } finally {
    clearTimeout(timer);
    await stage.end();
  }
  return { number, title, size, elapsedMs: Math.round(performance.now() - startMs), ...stage.outcome };
}
