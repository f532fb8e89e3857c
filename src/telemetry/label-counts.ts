import type { Counter } from 'prom-client';

/** Counts by one label, for what is counted with each subscribe: a counter makes a text of its labels each time. */
export class LabelCounts<T extends string> {
  readonly #label: T;
  readonly #counts = new Map<string, number>();

  constructor(label: T) {
    this.#label = label;
  }

  inc(value: string): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
  }

  /** To be called when the counter is read. */
  moveTo(counter: Counter<T>): void {
    for (const [value, count] of this.#counts) counter.inc({ [this.#label]: value } as Record<T, string>, count);
    this.#counts.clear();
  }
}
