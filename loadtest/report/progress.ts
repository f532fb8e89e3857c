import { SingleBar } from 'cli-progress';
import { metricsOf } from '../measure/metrics.ts';
import type { RunResult } from '../measure/types.ts';
import { formatFigure } from './format.ts';
import { OTHERS_SHARE_MAX } from './results.ts';

export interface Progress {
  starting(scenario: string, server: string, pair: number): void;
  done(scenario: string, run: RunResult): void;
  /** There are more runs than was thought. */
  expect(more: number): void;
  end(): void;
}

/** A bar where somebody watches; plain lines in a log. */
export function createProgress(runs: number): Progress {
  return process.stdout.isTTY ? bar(runs) : lines(runs);
}

function bar(runs: number): Progress {
  const shown = new SingleBar({ format: '{bar} {value}/{total} {task}', hideCursor: true, clearOnComplete: true });
  shown.start(runs, 0, { task: '' });
  return {
    starting: (scenario, server, pair) => shown.update({ task: `${scenario}: ${server}, pair ${pair + 1}` }),
    done: () => shown.increment(),
    expect: (more) => shown.setTotal(shown.getTotal() + more),
    end: () => shown.stop(),
  };
}

function lines(runs: number): Progress {
  let count = 0;
  let total = runs;
  return {
    starting: (scenario, server, pair) => console.log(`[${count + 1}/${total}] ${scenario} ${server} pair ${pair + 1} …`),
    done(scenario, run) {
      const figures = Object.entries(metricsOf(run)).map(([name, value]) => `${name}=${formatFigure(value)}`);
      const busy = run.othersCpuShare > OTHERS_SHARE_MAX ? ` (others used ${Math.round(run.othersCpuShare * 100)}% of a core)` : '';
      const state = run.invalid === '' ? busy : ` INVALID: ${run.invalid}`;
      console.log(`[${++count}/${total}] ${scenario} ${run.server} pair ${run.pair + 1}: ${figures.join(' ')}${state}`);
    },
    expect: (more) => {
      total += more;
    },
    end: () => {},
  };
}
