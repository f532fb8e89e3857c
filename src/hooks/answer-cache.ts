import type { Outcome } from './outcome.ts';

/** Estimated memory of an entry in addition to its key, code and text. */
const ENTRY_BYTES = 200;

interface Entry {
  readonly outcome: Outcome;
  readonly untilMs: number;
  readonly bytes: number;
}

/** Answers of hooks. Each is kept for as long as its hook allows. The cache is bounded in number and bytes: it evicts the least recently used. */
export class AnswerCache {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor({ cacheEntriesMax, cacheBytesMax }: { readonly cacheEntriesMax: number; readonly cacheBytesMax: number }) {
    this.#entriesMax = cacheEntriesMax;
    this.#bytesMax = cacheBytesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string, nowMs: number): Outcome | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#remove(key, entry);
    if (entry.untilMs <= nowMs) return undefined;
    this.#add(key, entry);
    return entry.outcome;
  }

  set(key: string, outcome: Outcome, untilMs: number): void {
    const known = this.#entries.get(key);
    if (known !== undefined) this.#remove(key, known);
    const bytes = ENTRY_BYTES + 2 * (key.length + JSON.stringify(outcome).length);
    if (bytes > this.#bytesMax) return;
    this.#add(key, { outcome, untilMs, bytes });
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#entriesMax && this.#bytes <= this.#bytesMax) return;
      this.#remove(oldest, entry);
    }
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
