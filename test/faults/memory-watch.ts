import { residentBytes } from '../../loadtest/core/proc.ts';

const SAMPLE_MS = 50;

/** The most memory that each of some processes had at once (Linux: the resident set). */
export class MemoryWatch {
  readonly #pids: () => readonly number[];
  readonly #timer: NodeJS.Timeout;
  /** Of the first of the processes, and of the largest of the others, in MB. */
  readonly most = { first: 0, others: 0 };

  /** @param pids asked for with every sample: processes are started again */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#sample();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const [first = 0, ...others] = this.#pids().map((pid) => residentBytes([pid]) / 2 ** 20);
    this.most.first = Math.max(this.most.first, first);
    this.most.others = Math.max(this.most.others, ...others);
  }
}
