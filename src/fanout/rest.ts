/**
 * How long to rest after a pass, so that the next one joins more items.
 *
 * Without it a feed that outruns the loop keeps the loop busy for ever: batches grow until a pass takes as long as the publications that it joins, and
 * no further. A send costs the same for 16 items as for 64, so a rest of three times the work cuts the cost by four. It rests only where there is
 * something to join: a feed that is slower than the loop, with one item a send, is never delayed. A watchlist joins two or three items a send, and its
 * rest is short: each millisecond is one more of latency. One large topic joins fifty, and rests longest.
 *
 * Measured on 2 shared vCPUs: loadtest/README.md, targets 1, F2, W1 and W2.
 *
 * @param workMs what the pass cost the loop
 * @param itemsPerSend publications that each `send()` to a socket carried in it
 */
export function restAfterPassMs(workMs: number, itemsPerSend: number, restMaxMs: number): number {
  const factor = Math.min(FACTOR_MAX, Math.max(0, itemsPerSend - 1) * FACTOR_PER_ITEM);
  return Math.min(restMaxMs, workMs * factor, REST_BASE_MS + itemsPerSend * REST_PER_ITEM_MS);
}

const FACTOR_PER_ITEM = 3;
const FACTOR_MAX = 6;
const REST_BASE_MS = 20;
const REST_PER_ITEM_MS = 0.75;

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
