import { AlignedInterval } from '../../telemetry/aligned-interval.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { NodeFigures } from '../report-types.ts';
import type { SeriesColumns } from './fields.ts';
import { pointBetween, type Sample } from './point.ts';
import { Series } from './series.ts';

export interface SamplerOptions {
  readonly intervalMs: number;
  readonly pointsMax: number;
  readonly figures: () => Promise<NodeFigures>;
  readonly logger: Logger;
}

/** Keeps the last hour of this node: one point each interval. */
export class Sampler {
  readonly #options: SamplerOptions;
  readonly #series: Series;
  readonly #timer: AlignedInterval;
  #last: Sample | undefined;
  #sampling = false;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#series = new Series(options.pointsMax);
    this.#timer = new AlignedInterval(options.intervalMs, () => void this.#sample());
  }

  columns(): SeriesColumns {
    return this.#series.columns();
  }

  stop(): void {
    this.#timer.stop();
  }

  /** A node whose workers are busy for longer than an interval has fewer points. */
  async #sample(): Promise<void> {
    if (this.#sampling) return;
    this.#sampling = true;
    try {
      const sample = { atMs: performance.now(), figures: await this.#options.figures() };
      this.#series.add(Date.now(), pointBetween(this.#last, sample));
      this.#last = sample;
    } catch (error) {
      this.#options.logger.error({ err: error }, 'the figures of the node could not be sampled');
    } finally {
      this.#sampling = false;
    }
  }
}
