import { beforeAll, describe, expect, it } from 'vitest';
import type { FrameFault } from '../support/frame-proxy.ts';
import { chosenSeed } from '../support/seed.ts';
import { buildChildren, prepareNodes } from './build.ts';
import { quickSize } from './quick-size.ts';
import { SCENARIOS } from './registry.ts';
import { runScenario } from './run-scenario.ts';

/** Those that are over soon; `npm run faults` runs all, at their full size. */
const QUICK = [2, 3, 11, 12, 13, 14, 16, 17, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32];
const TIMEOUT_MS = 240_000;
const seed = chosenSeed();

beforeAll(async () => {
  prepareNodes();
  await buildChildren();
}, TIMEOUT_MS);

describe('through a fault, on real processes, clients get what is guaranteed', () => {
  for (const scenario of SCENARIOS.filter(({ number }) => QUICK.includes(number))) {
    it(
      `${scenario.number}: ${scenario.title}`,
      async () => {
        const lines: string[] = [];
        const { failures, notes, figures } = await runScenario(scenario, quickSize(scenario.size), seed, (line) => void lines.push(line));
        expect(failures, JSON.stringify({ figures, notes, lines }, undefined, 2)).toEqual([]);
      },
      TIMEOUT_MS,
    );
  }
});

describe('a run fails, although clients repair what they receive, when the wire', () => {
  const harms: readonly (readonly [string, FrameFault, RegExp, readonly number[]])[] = [
    ['doubles frames', { kind: 'doubled' }, /^calmDropped is [1-9]/m, [2, 13]],
    ['loses frames', { kind: 'dropped', every: 3 }, /^calmH(eld|istoryAsked) is [1-9]/m, [13]],
  ];
  for (const [what, harm, why, rows] of harms) {
    it.each(SCENARIOS.filter(({ number }) => rows.includes(number)))(
      `${what}: $number: $title`,
      async (scenario) => {
        const { failures, figures } = await runScenario(scenario, quickSize(scenario.size), seed, () => {}, harm);
        expect(failures.join('\n'), JSON.stringify({ figures })).toMatch(why);
        // What applications were given does not show it. (A last frame that is lost has none behind it that would.)
        expect(figures).toMatchObject({ duplicates: 0, reordered: 0, gaps: 0, foreign: 0 });
      },
      TIMEOUT_MS,
    );
  }
});
