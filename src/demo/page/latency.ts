import type { LatencySummary, Stats } from '../../client/index.ts';
import { byId, fillPairs } from '../../http/page/dom.ts';
import { foldBuckets } from './fold-buckets.ts';

/** Upper bounds of the bars, in ms. The last bar counts everything above. */
const BARS_MS = [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, Number.POSITIVE_INFINITY];

/** @returns a function that shows the statistics of each second */
export function makeLatency(): (stats: Stats) => void {
  const histogram = byId('histogram');
  const bars = BARS_MS.map((upToMs) => {
    const column = histogram.appendChild(document.createElement('div'));
    const bar = column.appendChild(document.createElement('i'));
    const label = column.appendChild(document.createElement('span'));
    label.textContent = Number.isFinite(upToMs) ? String(upToMs) : 'more';
    return bar;
  });
  return ({ latency }) => {
    const counts = foldBuckets(latency.buckets, BARS_MS);
    const most = Math.max(1, ...counts);
    for (const [at, bar] of bars.entries()) bar.style.height = `${(100 * (counts[at] ?? 0)) / most}%`;
    histogram.setAttribute('aria-label', spoken(latency));
    fillPairs(byId('latency-figures'), [
      ['median', shown(latency, latency.p50Ms)],
      ['95 of 100', shown(latency, latency.p95Ms)],
      ['99 of 100', shown(latency, latency.p99Ms)],
      ['slowest', shown(latency, latency.maxMs)],
    ]);
  };
}

function shown({ count }: LatencySummary, ms: number): string {
  return count === 0 ? '–' : `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

function spoken(latency: LatencySummary): string {
  return `Latency of the last second: 50% within ${shown(latency, latency.p50Ms)}, 99% within ${shown(latency, latency.p99Ms)}`;
}
