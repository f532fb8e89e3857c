import { describeBusyBaseline } from '../measure/busy-baseline.ts';
import type { Verdict } from '../measure/summary.ts';
import { formatFigure, formatSpread } from './format.ts';
import { OTHERS_SHARE_MAX, type ScenarioResult } from './results.ts';

/** What the terminal shows at the end of a scenario. */
export function printScenario(result: ScenarioResult): string {
  const lines = ['', `${result.title}`];
  for (const { server, validRuns, invalidRuns, values, ratios } of result.servers) {
    lines.push(`  ${server}: ${validRuns} runs${invalidRuns > 0 ? `, ${invalidRuns} invalid (not counted)` : ''}`);
    for (const [metric, figure] of Object.entries(values)) {
      const ratio = ratios[metric];
      const against = ratio === undefined ? '' : `   ${formatSpread(ratio)} × ${result.baseline}`;
      lines.push(`    ${metric.padEnd(26)} ${formatSpread(figure).padEnd(28)}${against}`);
    }
  }
  for (const [server, why] of Object.entries(result.missing)) lines.push(`  ${server} left out: ${why}`);
  lines.push(...warningsOf(result).map((warning) => `  ${warning}`));
  lines.push(...result.verdicts.map((verdict) => `  ${printVerdict(verdict)}`));
  return lines.join('\n');
}

/** Warnings to readers of the figures. */
export function warningsOf(result: ScenarioResult): string[] {
  return [describeDisturbance(result), describeBusyBaseline(result)].filter(Boolean);
}

/** Empty where the machine was quiet. */
function describeDisturbance({ runs }: ScenarioResult): string {
  const count = runs.filter((run) => run.othersCpuShare > OTHERS_SHARE_MAX).length;
  return count === 0 ? '' : `${count} of ${runs.length} runs were disturbed by other programs of this machine`;
}

export function printVerdict({ target, outcome, measured, beside = [] }: Verdict): string {
  const figure = measured === undefined ? '' : `: ${formatSpread(measured)}`;
  const latencies = beside.map(({ server, p50Ms, p99Ms }) => `${server} p50 ${formatFigure(p50Ms)}, p99 ${formatFigure(p99Ms)} ms`);
  const paid = latencies.length === 0 ? '' : ` (${latencies.join('; ')})`;
  return `target ${target.number} ${outcome.toUpperCase()} — ${target.text}${figure}${paid}`;
}
