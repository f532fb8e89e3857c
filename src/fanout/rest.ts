/**
 * How long to rest after a pass, so that the next one joins more items.
 *
 * Without it a feed that outruns the loop keeps the loop busy for ever: batches grow until a pass takes as long as the publications that it joins, and
 * no further. A send costs the same for 16 items as for 64, so resting for three times the work cuts the cost by four. It rests only where there is
 * something to join: a feed slower than the loop, one item a send, is never delayed. Watchlists carry two or three items a send when the loop is full, and need
 * the rest most: from three items on it is whole.
 *
 * Measured on 2 shared vCPUs, 2,000 members, 1,000 msg/s: see loadtest/README.md, target 1.
 *
 * @param workMs what the pass cost the loop
 * @param itemsPerSend publications that each `send()` to a socket carried in it
 */
export function restAfterPassMs(workMs: number, itemsPerSend: number, restMaxMs: number): number {
  const factor = Math.min(FACTOR_MAX, Math.max(0, (itemsPerSend - ITEMS_WITHOUT_REST) * 2));
  return Math.min(restMaxMs, workMs * factor);
}

const FACTOR_MAX = 3;
const ITEMS_WITHOUT_REST = 1.5;

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
