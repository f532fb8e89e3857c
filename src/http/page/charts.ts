import uPlot from 'uplot';
import type { SeriesField } from '../../hub/series/fields.ts';
import { formatBytes, formatNumber } from '../../telemetry/format.ts';
import type { SeriesAnswer } from '../api/schemas/series.ts';
import { resolveColour } from './colour.ts';
import { setText } from './dom.ts';
import { type Lines, latestOf, linesOf, timeRange } from './series.ts';

interface ChartKind {
  readonly field: SeriesField;
  readonly title: string;
  readonly combine: 'sum' | 'max';
  readonly format: (value: number) => string;
  readonly increments: number[];
}

const HEIGHT_PX = 110;
const AXIS_PX = 58;
const TIME_AXIS_PX = 22;
/** Steps of an axis in bytes: 1 MiB, 2 MiB, … */
const BYTE_INCREMENTS = Array.from({ length: 30 }, (_, power) => 2 ** (20 + power));
/** Steps of other axes: nothing is counted more finely. */
const INCREMENTS = [0.1, 0.2, 0.5, ...[1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8].flatMap((ten) => [ten, 2 * ten, 5 * ten])];
const ms = (value: number) => `${formatNumber(value)} ms`;
const KINDS: readonly ChartKind[] = [
  { field: 'connections', title: 'connections', combine: 'sum', format: formatNumber, increments: INCREMENTS },
  { field: 'deliveriesPerSecond', title: 'deliveries/s', combine: 'sum', format: formatNumber, increments: INCREMENTS },
  { field: 'publishToSocketP99Ms', title: 'publish to socket, p99', combine: 'max', format: ms, increments: INCREMENTS },
  { field: 'lagging', title: 'lagging connections', combine: 'sum', format: formatNumber, increments: INCREMENTS },
  { field: 'errorsPerSecond', title: 'errors/s', combine: 'sum', format: formatNumber, increments: INCREMENTS },
  { field: 'memoryBytes', title: 'memory', combine: 'sum', format: formatBytes, increments: BYTE_INCREMENTS },
  { field: 'cpuCores', title: 'CPU, cores', combine: 'sum', format: formatNumber, increments: INCREMENTS },
  { field: 'loopLagMs', title: 'loop lag', combine: 'max', format: ms, increments: INCREMENTS },
];

const UNKNOWN = '–';
/** Of nodes beside the line for all. */
const COLOURS = ['--quiet', '--good', '--warn', '--bad'];

/** Small charts of the last hour. */
export class Charts {
  readonly #charts: readonly { readonly kind: ChartKind; readonly chart: Chart }[];

  constructor(place: HTMLElement) {
    this.#charts = KINDS.map((kind) => ({ kind, chart: new Chart(place, kind) }));
  }

  /** @param nodeId only this node; empty: all */
  show(answer: SeriesAnswer, nodeId: string): void {
    for (const { kind, chart } of this.#charts) chart.show(linesOf(answer, kind.field, kind.combine, nodeId));
  }
}

class Chart {
  readonly #kind: ChartKind;
  readonly #figure: HTMLElement;
  readonly #value: HTMLElement;
  readonly #place: HTMLElement;
  #plot: uPlot | undefined;
  /** Names of the lines that the plot was made for. */
  #names = '';

  constructor(parent: HTMLElement, kind: ChartKind) {
    this.#kind = kind;
    const figure = parent.appendChild(document.createElement('figure'));
    this.#figure = figure;
    const caption = figure.appendChild(document.createElement('figcaption'));
    caption.append(kind.title);
    this.#value = caption.appendChild(document.createElement('b'));
    this.#place = figure.appendChild(document.createElement('div'));
    figure.dataset.field = kind.field;
    new ResizeObserver(() => this.#resize()).observe(this.#place);
    setText(this.#value, UNKNOWN);
  }

  show(lines: Lines): void {
    const latest = latestOf(lines);
    setText(this.#value, latest === null ? UNKNOWN : this.#kind.format(latest));
    const names = lines.lines.map(({ name }) => name).join('\n');
    if (names !== this.#names || this.#plot === undefined) this.#make(lines, names);
    this.#plot?.setData([[...lines.times], ...lines.lines.map(({ values }) => [...values])]);
  }

  #make({ lines }: Lines, names: string): void {
    this.#plot?.destroy();
    this.#names = names;
    const colour = (name: string) => () => resolveColour(this.#figure, name);
    const axis = {
      stroke: colour('--quiet'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui',
    };
    const total = { stroke: colour('--accent'), width: 1.5, points: { show: false } };
    const options: uPlot.Options = {
      width: Math.max(1, this.#place.clientWidth),
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_, first, last) => timeRange(first, last ?? Date.now() / 1000) },
        y: { range: (_, min, max) => [Math.min(0, min ?? 0), max > 0 ? max * 1.15 : 1] },
      },
      axes: [
        { ...axis, size: TIME_AXIS_PX, space: 70, values: (_, seconds) => seconds.map(clockTime) },
        {
          ...axis,
          size: AXIS_PX,
          space: 30,
          incrs: this.#kind.increments,
          values: (_, values) => values.map((value) => this.#kind.format(value)),
        },
      ],
      series: [
        {},
        ...lines.map(({ isTotal }, at) =>
          isTotal ? total : { ...total, width: 1, stroke: colour(COLOURS[at % COLOURS.length] as string) },
        ),
      ],
    };
    this.#plot = new uPlot(options, [[], ...lines.map(() => [])], this.#place);
  }

  #resize(): void {
    // A chart in a closed card has no width.
    if (this.#place.clientWidth > 0) this.#plot?.setSize({ width: this.#place.clientWidth, height: HEIGHT_PX });
  }
}

function clockTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
}
