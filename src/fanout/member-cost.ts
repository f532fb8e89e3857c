/** What flushing one member costs the loop, learned from turns that were full: the sends happen after the turn, so only the gap to the next one tells. */
export class MemberCost {
  #ms = START_MS;

  get ms(): number {
    return this.#ms;
  }

  learn(gapMs: number, members: number): void {
    if (members > 0) this.#ms += (Math.min(gapMs / members, MAX_MS) - this.#ms) * WEIGHT;
  }
}

const START_MS = 0.008;
/** A gap that something else caused says nothing about sends. */
const MAX_MS = 0.03;
const WEIGHT = 0.1;
