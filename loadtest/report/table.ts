import type { Verdict } from '../measure/summary.ts';
import { formatSpread } from './format.ts';
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
  const disturbed = describeDisturbance(result);
  if (disturbed !== '') lines.push(`  ${disturbed}`);
  lines.push(...result.verdicts.map((verdict) => `  ${printVerdict(verdict)}`));
  return lines.join('\n');
}

/** Empty where the machine was quiet. */
export function describeDisturbance({ runs }: ScenarioResult): string {
  const count = runs.filter((run) => run.othersCpuShare > OTHERS_SHARE_MAX).length;
  return count === 0 ? '' : `${count} of ${runs.length} runs were disturbed by other programs of this machine`;
}

export function printVerdict({ target, outcome, measured }: Verdict): string {
  const figure = measured === undefined ? '' : `: ${formatSpread(measured)}`;
  return `target ${target.number} ${outcome.toUpperCase()} — ${target.text}${figure}`;
}
