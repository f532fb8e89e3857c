/**
 * What one send costs the loop: the sends of a turn and nothing else, from the end of the publishing to the end of uWS's writes. Pacing asks it whether the
 * loop would be busy. The quantum (`quantum.ts`) is another quantity: it bounds the gap between two turns, with all the other work that is done in it.
 */
export class MemberCost {
  #ms = START_MS;

  get ms(): number {
    return this.#ms;
  }

  learn(sendingMs: number, members: number): void {
    if (members > 0) this.#ms += (Math.min(sendingMs / members, MAX_MS) - this.#ms) * WEIGHT;
  }
}

const START_MS = 0.008;
/** More than this had another cause, and says nothing about sends. */
const MAX_MS = 0.03;
const WEIGHT = 0.1;
