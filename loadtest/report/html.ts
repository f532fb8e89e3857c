import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { formatFigure, formatSpread } from './format.ts';
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { Results, ScenarioResult } from './results.ts';
import { printVerdict, warningsOf } from './table.ts';

/** One page that needs nothing else: uPlot, the data, and the text are all inside. */
export function renderPage(results: Results): string {
  const uplot = join(dirname(createRequire(import.meta.url).resolve('uplot/package.json')), 'dist');
  const { machine } = results;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Stentor benchmark, ${escapeHtml(results.startedAt)}</title>
<style>${readFileSync(join(uplot, 'uPlot.min.css'), 'utf8')}${PAGE_STYLE}</style>
</head>
<body>
<h1>Stentor benchmark</h1>
<p>${escapeHtml(results.startedAt)} · ${escapeHtml(machine.cpu)}, ${machine.cores} cores, ${machine.memoryGiB} GiB · Linux ${escapeHtml(machine.kernel)} · Node ${escapeHtml(machine.node)}</p>
<p><code>${escapeHtml(results.command)}</code></p>
${results.quick ? '<p class="warning">A quick run: it shows that everything works. Its figures are not for quoting.</p>' : ''}
<p>Ratios are taken within a pair of runs that followed each other; shown are the median and, in brackets, the least and the greatest.
Latencies count from the scheduled publish time. A run that did not deliver everything is not counted.</p>
${results.scenarios.map(renderScenario).join('\n')}
<script>${readFileSync(join(uplot, 'uPlot.iife.min.js'), 'utf8')}</script>
<script type="application/json" id="results">${JSON.stringify(results).replaceAll('<', '\\u003c')}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function renderScenario(result: ScenarioResult, index: number): string {
  const metrics = [...new Set(result.servers.flatMap((server) => Object.keys(server.values)))];
  const head = result.servers.map(({ server }) => `<th>${escapeHtml(server)}</th>`).join('');
  const rows = metrics.map((metric) => {
    const cells = result.servers.map(({ values, ratios }) => {
      const ratio = ratios[metric];
      const against = ratio === undefined ? '' : `<small>${formatSpread(ratio)} × ${escapeHtml(result.baseline)}</small>`;
      return `<td>${values[metric] === undefined ? '–' : formatSpread(values[metric])}${against}</td>`;
    });
    return `<tr><th>${escapeHtml(metric)}</th>${cells.join('')}</tr>`;
  });
  const notes = Object.entries(result.missing).map(([server, why]) => `${server} left out: ${why}`);
  const warnings = [...notes, ...warningsOf(result)].map((note) => `<p class="warning">${escapeHtml(note)}</p>`);
  const verdicts = result.verdicts.map((v) => `<li class="${v.outcome.replace(' ', '-')}">${escapeHtml(printVerdict(v))}</li>`);
  return `<section>
<h2>${escapeHtml(result.title)}</h2>
<p>${escapeHtml(result.describes)}</p>
${warnings.join('')}
${verdicts.length === 0 ? '' : `<ul>${verdicts.join('')}</ul>`}
<table><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table>
<div class="charts" data-scenario="${index}"></div>
<details><summary>every run</summary>${renderRuns(result)}</details>
</section>`;
}

function renderRuns(result: ScenarioResult): string {
  const rows = result.runs.map((run) => {
    const cpu = run.cpuPerDeliveryUs === undefined ? '–' : formatFigure(run.cpuPerDeliveryUs);
    const latencies = (['p50Ms', 'p99Ms'] as const).map((name) => run.groups.map(({ latency }) => formatFigure(latency[name])).join(', '));
    const cells = [run.pair + 1, escapeHtml(run.server), formatFigure(run.deliveries), cpu, ...latencies];
    const shares = [run.serverCpuShare, run.swarmCpuShare, run.othersCpuShare].map((share) => `${Math.round(share * 100)}%`);
    const byProcess = run.processes.map(
      ({ name, cpuSeconds }) => `${name} ${formatFigure((cpuSeconds * 1e6) / Math.max(1, run.deliveries))}`,
    );
    return `<tr>${[...cells, ...shares, escapeHtml(byProcess.join(', ')), escapeHtml(run.invalid)].map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const head = [
    'pair',
    'server',
    'deliveries',
    'µs per delivery',
    'p50, ms',
    'p99, ms',
    'server, of a core',
    'swarm, of a core',
    'others, of a core',
    'µs by process',
    'why it does not count',
  ];
  return `<table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
