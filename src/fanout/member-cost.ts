/** The cost of flushing one member, learned from full turns: the sends happen after the turn, so only the gap to the next turn shows it. */
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
/** A gap with another cause says nothing about sends. */
const MAX_MS = 0.03;
const WEIGHT = 0.1;
