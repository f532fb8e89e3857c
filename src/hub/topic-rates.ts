import { setTimeout as sleep } from 'node:timers/promises';

/** What a topic counts for its rate. */
export interface Metered {
  /** Publications since it was opened. */
  published: number;
  /** As of the last sample. */
  publishedSampled: number;
  /** Between the last two samples. */
  publishedPerSecond: number;
}

/** Rates over less say little of a slow topic. */
const WINDOW_MS = 1000;
/** A sample older than this is no place to count from: nobody wants the mean of the last hour. */
const STALE_MS = 10_000;

/** Publications a second by topic, measured only while somebody asks: a topic costs one count a publication, and a look a sample. */
export class TopicRates {
  readonly #topics: () => Iterable<Metered>;
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(topics: () => Iterable<Metered>) {
    this.#topics = topics;
  }

  /** Brings the rates up to date: at once where there is a recent sample to count from, else in a second. Who asks meanwhile shares the answer. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Counts every topic, from its last sample to now. */
  sample(nowMs: number): void {
    const seconds = (nowMs - this.#sampledAtMs) / 1000;
    this.#sampledAtMs = nowMs;
    for (const topic of this.#topics()) {
      topic.publishedPerSecond = (topic.published - topic.publishedSampled) / seconds;
      topic.publishedSampled = topic.published;
    }
  }

  async #refresh(): Promise<void> {
    if (performance.now() - this.#sampledAtMs > STALE_MS) {
      this.sample(performance.now());
      await sleep(WINDOW_MS, undefined, { ref: false });
    }
    const nowMs = performance.now();
    if (nowMs - this.#sampledAtMs >= WINDOW_MS / 2) this.sample(nowMs);
  }
}
