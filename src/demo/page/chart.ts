import uPlot from 'uplot';
import { byId } from '../../http/page/dom.ts';
import type { PriceHistory } from './price-history.ts';

const WINDOW_SECONDS = 30;
const HEIGHT_PX = 240;
/** For whoever wants little motion: a drawing now and then instead of one a frame. */
const CALM_FRAME_MS = 500;

export interface Frames {
  /** Drawn since the last question. */
  readonly count: number;
  /** The longest pause between two of them. */
  readonly longestMs: number;
}

/** Draws the last half minute of a price, once a frame, however many updates came in between. */
export class PriceChart {
  readonly #plot: uPlot;
  readonly #history: () => PriceHistory;
  readonly #nowMs: () => number;
  #count = 0;
  #longestMs = 0;
  #lastMs = 0;
  #drawnAtMs = 0;

  /** @param nowMs the clock of the history's times */
  constructor(history: () => PriceHistory, nowMs: () => number) {
    this.#history = history;
    this.#nowMs = nowMs;
    const place = byId('chart');
    const colour = (name: string) => () => resolveColour(place, name);
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } };
    this.#plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT_PX,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [-WINDOW_SECONDS, 0] } },
        axes: [
          { ...axis, incrs: [5, 10], values: (_, seconds) => seconds.map((second) => (second === 0 ? 'now' : `${second} s`)) },
          { ...axis, size: 64, values: (_, prices) => prices.map((price) => price.toFixed(2)) },
        ],
        series: [{}, { stroke: colour('--accent'), width: 1.5, points: { show: false }, gaps: (plot) => this.#gaps(plot) }],
      },
      [[], []],
      place,
    );
    new ResizeObserver(() => this.#plot.setSize({ width: place.clientWidth, height: HEIGHT_PX })).observe(place);
    requestAnimationFrame((atMs) => this.#frame(atMs));
  }

  /** How smooth it has been since this was last asked. */
  takeFrames(): Frames {
    const frames = { count: this.#count, longestMs: this.#longestMs };
    this.#count = 0;
    this.#longestMs = 0;
    return frames;
  }

  #frame(atMs: number): void {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (!calm || atMs - this.#lastMs >= CALM_FRAME_MS) {
      this.#draw();
      if (this.#lastMs > 0) this.#longestMs = Math.max(this.#longestMs, atMs - this.#lastMs);
      this.#count++;
      this.#lastMs = atMs;
    }
    requestAnimationFrame((nextMs) => this.#frame(nextMs));
  }

  /** In pixels, as the plot wants them; one more on each side, since a steep line has all its length in the first. */
  #gaps(plot: uPlot): [number, number][] {
    const place = (timeMs: number) => plot.valToPos((timeMs - this.#drawnAtMs) / 1000, 'x', true);
    return this.#history().breaks.map(([fromMs, toMs]) => [place(fromMs) - 1, place(toMs) + 1]);
  }

  #draw(): void {
    const nowMs = this.#nowMs();
    const [timesMs, prices] = this.#history().since(nowMs - WINDOW_SECONDS * 1000);
    this.#drawnAtMs = nowMs;
    this.#plot.setData([timesMs.map((timeMs) => (timeMs - nowMs) / 1000), prices]);
  }
}

/** A canvas knows no custom properties: an element's computed colour is one that it knows. */
function resolveColour(place: HTMLElement, name: string): string {
  const probe = place.querySelector<HTMLElement>(`[data-colour="${name}"]`) ?? place.appendChild(document.createElement('span'));
  if (probe.dataset.colour === undefined) {
    probe.dataset.colour = name;
    probe.hidden = true;
    probe.style.color = `var(${name})`;
  }
  return getComputedStyle(probe).color;
}
