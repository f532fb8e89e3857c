import { setTimeout as sleep } from 'node:timers/promises';

/** What a topic counts for its rate. */
export interface Metered {
  /** Publications since it was opened. */
  published: number;
  /** As of the last sample. */
  publishedSampled: number;
  /** Rate between the last two samples. */
  publishedPerSecond: number;
}

/** Minimum interval. Rates over a shorter one say little about a slow topic. */
const WINDOW_MS = 1000;
/** Maximum interval. A rate over an older sample would be an average over too long. */
const STALE_MS = 10_000;

/** Publications a second by topic, measured only on request. A topic costs one count per publication, and a read per sample. */
export class TopicRates {
  readonly #topics: () => Iterable<Metered>;
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(topics: () => Iterable<Metered>) {
    this.#topics = topics;
  }

  /** Updates the rates: immediately if there is a recent sample to count from, or in a second. Concurrent requests share the result. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Updates the rate of every topic from its last sample. */
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
