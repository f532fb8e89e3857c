/**
 * Runs in the page: per scenario the CPU per delivery of every run, and the latency curve of each group. Plain JavaScript in a string,
 * since the page must stand alone.
 */
export const PAGE_SCRIPT = `
const COLORS = ['#3b6fd4', '#d4763b', '#2f9e6e', '#a04fc0', '#c23b55', '#6f7d8c', '#b59a1f', '#1f97b5'];
const results = JSON.parse(document.getElementById('results').textContent);
const curveAt = (percentile) => -Math.log10(1 - Math.min(percentile, 99.999) / 100);
for (const holder of document.querySelectorAll('.charts')) {
  const scenario = results.scenarios[holder.dataset.scenario];
  const names = scenario.servers.map((s) => s.server);
  const runsOf = (name) => scenario.runs.filter((r) => r.server === name && !r.invalid);
  drawCost(holder, scenario, names, runsOf);
  for (const group of groupsOf(scenario)) drawLatency(holder, group, names, runsOf);
}
function groupsOf(scenario) {
  return [...new Set(scenario.runs.flatMap((r) => r.groups.map((g) => g.name)))];
}
function drawCost(holder, scenario, names, runsOf) {
  if (!scenario.runs.some((r) => r.deliveries > 0 && r.cpuPerDeliveryUs !== undefined)) return;
  const pairs = [...new Set(scenario.runs.map((r) => r.pair))].sort((a, b) => a - b);
  const data = names.map((name) => pairs.map((pair) => runsOf(name).find((r) => r.pair === pair)?.cpuPerDeliveryUs ?? null));
  draw(holder, 'CPU per delivery (µs) by pair', [pairs.map((p) => p + 1), ...data], names, {
    x: { time: false, range: [0.5, pairs.length + 0.5] }, y: { range: (u, min, max) => [0, max * 1.15] },
  }, [{ splits: () => pairs.map((p) => p + 1) }, {}], true);
}
function drawLatency(holder, group, names, runsOf) {
  const first = names.flatMap((n) => runsOf(n).flatMap((r) => r.groups.filter((g) => g.name === group)))[0];
  if (!first) return;
  const percentiles = first.latency.curve.map(([p]) => p);
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1] ?? null;
  const data = names.map((name) => percentiles.map((_, i) =>
    median(runsOf(name).flatMap((r) => r.groups.filter((g) => g.name === group).map((g) => g.latency.curve[i][1])))));
  const labels = { 0.301: '50', 1: '90', 2: '99', 3: '99.9', 4: '99.99' };
  draw(holder, 'latency of "' + group + '" (ms) by percentile', [percentiles.map(curveAt), ...data], names, {
    x: { time: false }, y: { distr: 3 },
  }, [{ splits: () => Object.keys(labels).map(Number).sort((a, b) => a - b), values: (u, at) => at.map((v) => labels[v]) }, {}], false);
}
function draw(holder, title, data, names, scales, axes, points) {
  const series = names.map((label, i) => ({ label, stroke: COLORS[i % COLORS.length], width: 2, points: { show: points, size: 8 } }));
  new uPlot({ title, width: 500, height: 300, scales, axes: [axes[0], { size: 60, ...axes[1] }], series: [{ label: 'at' }, ...series] }, data, holder);
}
`;
