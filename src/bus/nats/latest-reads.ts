import type { Publication } from '../publication.ts';
import { type LatestAnswer, UNKNOWN } from './latest-read.ts';

/** Subjects of one request. A server answers with 1,024 messages at most. */
const TOGETHER_MAX = 256;
/** For fewer, a request each takes less. */
const TOGETHER_MIN = 4;
/** How long each is asked for by itself after the server has refused to answer for many. */
const APART_MS = 60_000;

export interface LatestReadsOptions {
  /** The last publications of the subjects as of now, or later. */
  together(subjects: readonly string[]): Promise<LatestAnswer>;
  /** The last publication of one subject. @throws BusError */
  alone(subject: string): Promise<Publication | undefined>;
  readonly nowMs: () => number;
}

type Found = Map<string, Publication | undefined>;

/** Reads the last publications of many subjects: by one request where the server knows it, otherwise by one each. */
export class LatestReads {
  readonly #options: LatestReadsOptions;
  #apartUntilMs = 0;

  constructor(options: LatestReadsOptions) {
    this.#options = options;
  }

  /** Of each subject the last publication as of now, or a later one; undefined: it has none. @throws BusError */
  async read(subjects: readonly string[]): Promise<(Publication | undefined)[]> {
    const found: Found = new Map();
    for (let from = 0; from < subjects.length; from += TOGETHER_MAX) await this.#read(subjects.slice(from, from + TOGETHER_MAX), found);
    return subjects.map((subject) => found.get(subject));
  }

  async #read(subjects: readonly string[], found: Found): Promise<void> {
    const isTogether = subjects.length >= TOGETHER_MIN && this.#options.nowMs() >= this.#apartUntilMs;
    const left = isTogether ? await this.#readTogether(subjects, found) : subjects;
    await Promise.all(left.map(async (subject) => found.set(subject, await this.#options.alone(subject))));
  }

  /** @returns those that must be asked for by themselves */
  async #readTogether(subjects: readonly string[], found: Found): Promise<readonly string[]> {
    let left = subjects;
    while (left.length > 0) {
      const answer = await this.#options.together(left).catch(() => UNKNOWN);
      if (answer.kind === 'refused') this.#apartUntilMs = this.#options.nowMs() + APART_MS;
      if (answer.kind !== 'found') return left;
      for (const [subject, publication] of answer.found) found.set(subject, publication);
      if (answer.leftOut === 0) return [];
      if (answer.found.size === 0) return left;
      left = left.filter((subject) => !answer.found.has(subject));
    }
    return left;
  }
}
