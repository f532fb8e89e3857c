/**
 * The everyday shape of market data: many topics, and each connection follows some of them. Which ones is a formula, so that feeder and swarm agree
 * without a table: connection c follows topics (start(c) + j * STRIDE) mod topics, for j from 0 on.
 */
export interface Watchlist {
  readonly topics: number;
  readonly perConnection: number;
  /** Those of a process are numbered from here, so that those of several processes do not all follow the same topics. Default: 0. */
  readonly firstConnection?: number;
}

/** A prime, so that it shares no factor with the numbers of topics used here, and a connection's topics lie far apart in the feed's order. */
const STRIDE = 379;
/** Knuth's multiplicative hash: neighbours start far from each other. */
const SPREAD = 2_654_435_761;

export class WatchlistMap {
  readonly topics: number;
  readonly perConnection: number;
  readonly #firstConnection: number;
  /** Turns a topic's distance from a connection's first topic into its place in the list. */
  readonly #inverse: number;

  constructor({ topics, perConnection, firstConnection = 0 }: Watchlist) {
    if (perConnection > topics) throw new RangeError(`a connection cannot follow ${perConnection} of ${topics} topics`);
    this.topics = topics;
    this.perConnection = perConnection;
    this.#firstConnection = firstConnection;
    this.#inverse = inverseOf(STRIDE % topics, topics);
  }

  start(connection: number): number {
    const number = connection + this.#firstConnection;
    // Topics of users: each connection has one of its own, while there are as many.
    return (this.perConnection === 1 ? number : Math.imul(number + 1, SPREAD) >>> 0) % this.topics;
  }

  topicAt(connection: number, place: number): number {
    return (this.start(connection) + place * STRIDE) % this.topics;
  }

  /** @returns the topic's place in the connection's list; -1: it does not follow it */
  placeOf(connection: number, topic: number): number {
    const distance = (topic - this.start(connection) + this.topics) % this.topics;
    const place = (distance * this.#inverse) % this.topics;
    return place < this.perConnection ? place : -1;
  }

  /** How many of the feed's first `publications`, which rotate over the topics, are on this one. */
  publishedOn(topic: number, publications: number): number {
    return publications <= topic ? 0 : Math.ceil((publications - topic) / this.topics);
  }
}

/** x with (value * x) mod modulus = 1. */
function inverseOf(value: number, modulus: number): number {
  let [r0, r1, t0, t1] = [modulus, value, 0, 1];
  while (r1 !== 0) {
    const quotient = Math.floor(r0 / r1);
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  if (r0 !== 1) throw new RangeError(`the number of topics, ${modulus}, must not be a multiple of ${STRIDE}`);
  return ((t0 % modulus) + modulus) % modulus;
}
