/**
 * How many members one loop turn may flush. Sends happen after the turn, inside uWS, and cost 5–12 µs each. So the gap between two turns shows how many were
 * too many. It changes by factors in both directions: it settles within a few turns, and follows a machine whose speed changes.
 */
export class Quantum {
  readonly #gapMinMs: number;
  readonly #gapMaxMs: number;
  #members = START;

  constructor(gapMinMs: number, gapMaxMs: number) {
    this.#gapMinMs = gapMinMs;
    this.#gapMaxMs = gapMaxMs;
  }

  get members(): number {
    return this.#members;
  }

  /** @param gapMs from the start of a turn that used its quantum to the start of the next */
  adapt(gapMs: number): void {
    if (gapMs > this.#gapMaxMs) this.#members = Math.max(MIN, Math.floor(this.#members * 0.8));
    else if (gapMs < this.#gapMinMs) this.#members = Math.min(MAX, Math.ceil(this.#members * 1.25));
  }
}

const START = 750;
const MIN = 100;
const MAX = 20_000;
