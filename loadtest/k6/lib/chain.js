/**
 * What one subscriber has seen of one topic, and whether anything is missing: the protocol's rule for batches. Shared by both suites.
 */
export class Chain {
  epoch = '';
  offset = 0;
  /** Stretches that did not begin where the last one ended. */
  gaps = 0;

  /** @param {{ epoch: string, offset: number, recovered: boolean, items: unknown[][] }} subscribed @returns {unknown[][]} its new items */
  subscribed({ epoch, offset, recovered, items }) {
    if (this.epoch !== '' && !recovered) this.gaps++;
    const fresh = recovered ? items.filter(([itemOffset]) => itemOffset > this.offset) : items;
    this.epoch = epoch;
    this.offset = offset;
    return fresh;
  }

  /** @param {{ epoch: string, prev: number, items: unknown[][] }} batch @returns {unknown[][]} the items that are new */
  batch({ epoch, prev, items }) {
    if (epoch !== this.epoch || prev > this.offset) this.gaps++;
    const fresh = items.filter(([itemOffset]) => itemOffset > this.offset);
    const last = items[items.length - 1];
    if (last !== undefined && last[0] > this.offset) this.offset = last[0];
    this.epoch = epoch;
    return fresh;
  }

  /** Where to go on from; undefined before the first answer. */
  get position() {
    return this.epoch === '' ? undefined : { epoch: this.epoch, offset: this.offset };
  }
}
