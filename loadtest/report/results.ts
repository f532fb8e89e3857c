import { cpus, release, totalmem } from 'node:os';
import type { ServerSummary, Verdict } from '../measure/summary.ts';
import type { RunResult } from '../measure/types.ts';
import type { Target } from '../scenarios/scenario.ts';

/** More of a core than this in other hands, and a run is said to be disturbed. */
export const OTHERS_SHARE_MAX = 0.15;

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
}

export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly describes: string;
  readonly baseline: string;
  readonly targets: readonly Target[];
  readonly runs: readonly RunResult[];
  readonly servers: readonly ServerSummary[];
  readonly verdicts: readonly Verdict[];
  /** Servers left out, and why. */
  readonly missing: Readonly<Record<string, string>>;
}

/** The JSON file, whole. */
export interface Results {
  readonly startedAt: string;
  readonly command: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly scenarios: readonly ScenarioResult[];
}

export function thisMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}
