import type { Acknowledged, Life, Stored, TopicLog, Verdict } from './ledger.ts';

const EMPTY: TopicLog = { offsets: [], ids: [] };

/**
 * Holds what one client's application was given of one topic against the topic's log. Told in the order in which the client was; a client that
 * starts at a position (with a snapshot or without) owes nothing of what lies before it, and everything after it.
 */
export class ClientCheck {
  readonly #topic: string;
  readonly #lives: ReadonlyMap<string, Life>;
  #epoch: string | undefined;
  #log: TopicLog = EMPTY;
  /** Index into the log of what should come next. */
  #next = 0;
  /** Offsets that were passed over; what comes later after all is out of order, not lost. */
  #missing = new Set<number>();
  #lost = 0;
  #counts = { gaps: 0, duplicates: 0, reordered: 0, foreign: 0, wrongSnapshots: 0, declared: 0, declarations: 0, delivered: 0 };

  constructor(topic: string, lives: readonly Life[]) {
    this.#topic = topic;
    this.#lives = new Map(lives.map((life) => [life.epoch, life]));
  }

  /**
   * The stream starts, or starts over, here; what lay between is declared. `snapshot` is the offset of the item that came with it, null for none,
   * undefined where none was asked for.
   */
  start(epoch: string, offset: number, snapshot: number | null | undefined): void {
    if (this.#epoch !== undefined) {
      this.#counts.declarations++;
      if (epoch === this.#epoch) this.#declareUpTo(offset);
      this.#forgetMissing();
    }
    this.#epoch = epoch;
    const life = this.#lives.get(epoch);
    if (life === undefined) this.#counts.foreign++;
    this.#log = life?.topics[this.#topic] ?? EMPTY;
    this.#next = indexAfter(this.#log.offsets, offset);
    if (snapshot !== undefined && snapshot !== (this.#log.offsets[this.#next - 1] ?? null)) this.#counts.wrongSnapshots++;
  }

  /** The client was told that nothing up to `offset` is coming. */
  skip(offset: number): void {
    this.#counts.declarations++;
    this.#declareUpTo(offset);
    this.#next = Math.max(this.#next, indexAfter(this.#log.offsets, offset));
  }

  deliver(epoch: string, offset: number, id: number): void {
    this.#counts.delivered++;
    const { offsets, ids } = this.#log;
    if (epoch === this.#epoch && offsets[this.#next] === offset && ids[this.#next] === id) {
      this.#next++;
      return;
    }
    const at = indexAfter(offsets, offset) - 1;
    if (epoch !== this.#epoch || offsets[at] !== offset || ids[at] !== id) {
      this.#counts.foreign++;
      return;
    }
    if (at >= this.#next) {
      this.#counts.gaps++;
      for (let i = this.#next; i < at; i++) this.#missing.add(offsets[i]!);
      this.#next = at + 1;
    } else if (this.#missing.delete(offset)) this.#counts.reordered++;
    else this.#counts.duplicates++;
  }

  /** Nothing more will come: what the log has beyond is lost too. */
  end(): Verdict {
    this.#forgetMissing();
    return { lost: this.#lost + this.#log.offsets.length - this.#next, ...this.#counts };
  }

  #declareUpTo(offset: number): void {
    this.#counts.declared += Math.max(0, indexAfter(this.#log.offsets, offset) - this.#next);
  }

  #forgetMissing(): void {
    this.#lost += this.#missing.size;
    this.#missing = new Set();
  }
}

/** Index of the first offset above this one. */
function indexAfter(offsets: readonly number[], offset: number): number {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface StoreVerdict {
  /** Acknowledged, and not in the store. */
  readonly acknowledgedLost: number;
  readonly storedTwice: number;
  /** Acknowledged with an offset at which the store has something else. */
  readonly wrongAcknowledgements: number;
}

/** Holds the store against what its producers were told. */
export function checkStore(acknowledged: readonly Acknowledged[], stored: readonly Stored[]): StoreVerdict {
  const places = new Map<string, Set<number>>();
  for (const { topic, id, offset } of stored) {
    const name = `${topic} ${id}`;
    const known = places.get(name);
    if (known === undefined) places.set(name, new Set([offset]));
    else known.add(offset);
  }
  const counts = { acknowledgedLost: 0, storedTwice: 0, wrongAcknowledgements: 0 };
  for (const offsets of places.values()) counts.storedTwice += offsets.size - 1;
  for (const { topic, id, offset } of acknowledged) {
    const known = places.get(`${topic} ${id}`);
    if (known === undefined) counts.acknowledgedLost++;
    else if (!known.has(offset)) counts.wrongAcknowledgements++;
  }
  return counts;
}
