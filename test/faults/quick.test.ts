import { beforeAll, describe, expect, it } from 'vitest';
import { buildChildren, prepareNodes } from './build.ts';
import { quickSize } from './quick-size.ts';
import { SCENARIOS } from './registry.ts';
import { runScenario } from './run-scenario.ts';

/** Those that are over soon; `npm run faults` runs all, at their full size. */
const QUICK = [2, 3, 12, 13, 16, 17];
const TIMEOUT_MS = 120_000;

beforeAll(async () => {
  prepareNodes();
  await buildChildren();
}, TIMEOUT_MS);

describe('through a fault, on real processes, clients keep what they are promised', () => {
  for (const scenario of SCENARIOS.filter(({ number }) => QUICK.includes(number))) {
    it(
      `${scenario.number}: ${scenario.title}`,
      async () => {
        const lines: string[] = [];
        const { failures, notes, figures } = await runScenario(scenario, quickSize(scenario.size), (line) => void lines.push(line));
        expect(failures, JSON.stringify({ figures, notes, lines }, undefined, 2)).toEqual([]);
      },
      TIMEOUT_MS,
    );
  }
});
