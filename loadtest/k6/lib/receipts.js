/**
 * What one subscriber was given, held against what the publishers say the log acknowledged. It knows nothing of offsets: a server that hides a loss from
 * the protocol's chain, or falls silent, does not hide it from this. Shared by both suites.
 */
export class Receipts {
  /** By publisher: the first `n` that came, how many came, and how many were acknowledged, once that is known. */
  #publishers = new Map();

  /** @param {unknown} data a publication's, of a publisher of these suites or of another */
  take(data) {
    if (typeof data?.from !== 'string') return;
    const known = this.#publishers.get(data.from) ?? { first: undefined, received: 0, acked: undefined };
    this.#publishers.set(data.from, known);
    if (data.acked !== undefined) {
      known.acked = data.acked;
      return;
    }
    known.first ??= data.n;
    known.received++;
  }

  /** @param {number} publishers how many there are, at least @returns whether each of them has said its end, and everything before that came */
  isComplete(publishers) {
    const all = [...this.#publishers.values()];
    return all.length >= publishers && all.every(({ first, received, acked }) => acked !== undefined && received === acked - (first ?? 0));
  }
}
