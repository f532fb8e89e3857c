import { describe, expect, it } from 'vitest';
import { tableOf } from './report.ts';
import type { RunResult } from './run-scenario.ts';

const NO_FIGURES = { lost: 0, duplicates: 0, reordered: 0, gaps: 0, foreign: 0, storedTwice: 0 };

function run(more: Partial<RunResult>): RunResult {
  const size = { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false };
  return {
    number: 1,
    title: 'a node killed',
    size,
    seed: 1,
    elapsedMs: 1,
    figures: NO_FIGURES,
    limits: {},
    failures: [],
    notes: [],
    ...more,
  };
}

function rowOf(...runs: readonly RunResult[]): Record<string, string> {
  const [head = [], , row = []] = tableOf(runs)
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return Object.fromEntries(head.map((name, at) => [name, row[at] ?? '']));
}

describe('the table of fault runs', () => {
  it('shows what clients repaired, the worst of all runs', () => {
    const repaired = (dropped: number, held: number, historyAsked: number) =>
      run({ figures: { ...NO_FIGURES, dropped, held, historyAsked } });
    expect(rowOf(repaired(1, 20, 300), repaired(100, 2, 3))).toMatchObject({
      lost: '0',
      dropped: '100',
      held: '20',
      historyAsked: '300',
      verdict: 'pass',
    });
  });

  it('names each figure that is judged with its limit', () => {
    const { 'worst figures': figures } = rowOf(
      run({
        figures: { ...NO_FIGURES, resumeP99Ms: 3800, hubOnlyResumeP99Ms: 4900, silenceMs: 7 },
        limits: { resumeP99Ms: 5000, hubOnlyResumeP99Ms: 8000 },
      }),
    );
    expect(figures).toBe('resumeP99Ms 3800 (≤ 5000), hubOnlyResumeP99Ms 4900 (≤ 8000), silenceMs 7');
  });

  it('shows repairs of a time in which nothing was broken only where there were any', () => {
    const calm = (count: number) => run({ figures: { ...NO_FIGURES, calmHeld: count }, limits: { calmHeld: 0 } });
    expect(rowOf(calm(0))['worst figures']).toBe('');
    expect(rowOf(calm(3))['worst figures']).toBe('calmHeld 3 (≤ 0)');
  });
});
