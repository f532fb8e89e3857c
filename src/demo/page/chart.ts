import uPlot from 'uplot';
import { resolveColour } from '../../http/page/colour.ts';
import { byId } from '../../http/page/dom.ts';
import type { PriceHistory } from './price-history.ts';

const WINDOW_SECONDS = 30;
const HEIGHT_PX = 240;
/** For users who prefer reduced motion: draws at this interval instead of once per frame. */
const CALM_FRAME_MS = 500;

export interface Frames {
  /** Frames drawn since the last call. */
  readonly count: number;
  /** The longest pause between two frames. */
  readonly longestMs: number;
}

/** Draws the last half minute of a price, at most once per frame, however many updates arrive in between. */
export class PriceChart {
  readonly #plot: uPlot;
  readonly #history: () => PriceHistory;
  readonly #nowMs: () => number;
  #count = 0;
  #longestMs = 0;
  #lastMs = 0;
  #drawnAtMs = 0;

  /** @param nowMs the clock of the times in the history */
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

  /** Frame statistics since the last call. */
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

  /** In pixels, as the plot needs them; one pixel wider on each side, because all of a steep line lies in its first pixel. */
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
