/**
 * What one subscriber has seen of one topic, whether anything is missing, and whether anything came twice: the protocol's rules for batches. Shared by
 * both suites.
 */
export class Chain {
  epoch = '';
  offset = 0;
  /** Ranges that did not begin where the last one ended. */
  gaps = 0;
  /** Items that the server sent twice over one connection. */
  overlaps = 0;
  /** The last offset that came over this connection: the server may repeat what only another connection was given. */
  #given = 0;
  /** Batches up to here bring what was missed, or the state. */
  #startsUpTo = 0;

  /** @param {{ epoch: string, offset: number, recovered: boolean, items: unknown[][], upTo?: number }} subscribed @returns {unknown[][]} its new items */
  subscribed({ epoch, offset, recovered, items, upTo = offset }) {
    if (this.epoch !== '' && !recovered) this.gaps++;
    const fresh = recovered ? items.filter(([itemOffset]) => itemOffset > this.offset) : items;
    this.epoch = epoch;
    this.offset = recovered ? Math.max(this.offset, offset) : offset;
    this.#given = offsetOfLast(items);
    this.#startsUpTo = upTo;
    return fresh;
  }

  /**
   * @param {{ epoch: string, prev: number, items: unknown[][] }} batch
   * @returns {{ items: unknown[][], live: boolean }} the items that are new; not live: they were missed, and are late by their nature
   */
  batch({ epoch, prev, items }) {
    if (epoch !== this.epoch || prev > this.offset) this.gaps++;
    const last = offsetOfLast(items);
    this.overlaps += items.filter(([offset]) => offset <= this.#given).length;
    const fresh = items.filter(([offset]) => offset > this.offset);
    this.#given = Math.max(this.#given, last);
    this.offset = Math.max(this.offset, last);
    this.epoch = epoch;
    return { items: fresh, live: last > this.#startsUpTo };
  }

  /** Handles a `resync` of the server: something is missing. @returns {unknown[][]} no received items */
  resync({ epoch, offset, upTo = offset }) {
    this.gaps++;
    this.epoch = epoch;
    this.offset = offset;
    this.#given = offset;
    this.#startsUpTo = upTo;
    return [];
  }

  /** Has everything come that was missed? */
  get isCaughtUp() {
    return this.offset >= this.#startsUpTo;
  }

  /** Where to go on from; undefined before the first answer. */
  get position() {
    return this.epoch === '' ? undefined : { epoch: this.epoch, offset: this.offset };
  }
}

function offsetOfLast(items) {
  return items.length === 0 ? 0 : items[items.length - 1][0];
}
