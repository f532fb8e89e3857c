import { Fold } from '../document/fold.ts';
import type { DocumentForm, RecentItem } from './item-form.ts';
import type { Ring } from './ring.ts';

/** So many changes at least are between two steps. */
const STEP_ITEMS_MIN = 16;
/** Who missed more gets the document: a pass over 10,000 changes takes up to 280 ms of the loop. */
const ITEMS_MAX = 2048;
/** A step is at most this share of the way longer than the one before it: there are few, and a client gets little that it has already. */
const STEP_SHARE = 1 / 4;

/** Several changes as one. */
export interface StepBack<T> {
  /** Of its first change. */
  readonly sequence: number;
  /** Offset before its first change. */
  readonly after: number;
  readonly item: T;
}

/**
 * The changes up to one point as one change each, from different points before it: for clients that return at different positions. They are made in one
 * backward pass over the ring, as far as somebody has asked, until the document itself is smaller.
 */
export class StepsBack<T extends RecentItem> {
  readonly #ring: Ring<T>;
  readonly #documents: DocumentForm<T>;
  readonly #last: T;
  readonly #lastSequence: number;
  readonly #bytesMax: number;
  readonly #fold = Fold.ofChanges();
  /** Nearest first. */
  readonly #steps: StepBack<T>[] = [];
  /** Sequence of the earliest change in the fold. */
  #reached: number;
  #isOver = false;

  /** @param last the whole document there, @param bytesMax its size */
  constructor(ring: Ring<T>, documents: DocumentForm<T>, last: T, lastSequence: number, bytesMax: number) {
    this.#ring = ring;
    this.#documents = documents;
    this.#last = last;
    this.#lastSequence = lastSequence;
    this.#bytesMax = bytesMax;
    this.#reached = lastSequence + 1;
  }

  /** Everything from this sequence on, or from a little before it. Undefined: the document is smaller. */
  from(sequence: number): StepBack<T> | undefined {
    const known = this.#steps.find((step) => step.sequence <= sequence);
    if (known !== undefined) return known;
    while (!this.#isOver) {
      const step = this.#next();
      if (step !== undefined && step.sequence <= sequence) return step;
    }
    return undefined;
  }

  #next(): StepBack<T> | undefined {
    const way = this.#lastSequence + 1 - this.#reached;
    const until = this.#reached - Math.max(STEP_ITEMS_MIN, Math.ceil(way * STEP_SHARE));
    while (this.#reached > until && this.#reached > this.#ring.first) {
      const change = this.#documents.changeOf(this.#ring.at(this.#reached - 1));
      this.#fold.addBefore(change);
      this.#reached--;
      const isFar = this.#lastSequence - this.#reached >= ITEMS_MAX;
      this.#isOver = isFar || this.#fold.isWhole || this.#fold.size.bytes > this.#bytesMax;
      if (this.#isOver) return undefined;
    }
    // What the ring had before is gone.
    this.#isOver = this.#reached <= this.#ring.first;
    if (this.#reached > this.#lastSequence) return undefined;
    const sequence = this.#reached;
    const after = sequence > this.#ring.first ? this.#ring.at(sequence - 1).offset : this.#ring.baseOffset;
    const step = { sequence, after, item: this.#documents.pairItem(this.#last, this.#fold.pairOfChanges()) };
    this.#steps.push(step);
    return step;
  }
}
