/**
 * A log reads forward only. To read a topic's last `wanted` publications, one has to find an offset to start from: with `wanted` of the topic
 * at or after it, and not many more. Asking how many there are from an offset on costs a request.
 */
export interface LastSearch {
  readonly wanted: number;
  /** From here on there are enough. */
  readonly low: number;
  readonly lowCount: number;
  /** From here on there are too few. */
  readonly high: number;
  readonly highCount: number;
  readonly requestsLeft: number;
}

/** Half of them halve the range, which is enough for 16 million offsets; a topic that is spread evenly takes one or two. */
const REQUESTS_MAX = 48;

/** What is read beyond the wanted is thrown away: this much is cheaper than another request. */
function isCloseEnough({ wanted, lowCount }: LastSearch): boolean {
  return lowCount <= 2 * wanted + 256;
}

/** @param count how many of the topic there are from `first` to `last` */
export function beginLastSearch(wanted: number, first: number, last: number, count: number): LastSearch {
  return { wanted, low: first, lowCount: count, high: last + 1, highCount: 0, requestsLeft: REQUESTS_MAX };
}

/** The offset to ask about next; undefined: start reading from `low`. */
export function nextProbe(search: LastSearch): number | undefined {
  const { wanted, low, lowCount, high, highCount, requestsLeft } = search;
  if (isCloseEnough(search) || requestsLeft === 0 || high - low <= 1) return undefined;
  // As if the topic were spread evenly between the two, with a quarter more than wanted so that a near miss is a hit. Where it is not, every
  // second request halves what is left.
  const perOffset = (lowCount - highCount) / (high - low);
  const even = high - Math.ceil((wanted * 1.25 + 8 - highCount) / perOffset);
  const guess = requestsLeft % 2 === 0 ? even : Math.floor((low + high) / 2);
  return Math.min(Math.max(guess, low + 1), high - 1);
}

/** @param count how many of the topic there are from `probe` on */
export function narrow(search: LastSearch, probe: number, count: number): LastSearch {
  const requestsLeft = search.requestsLeft - 1;
  return count >= search.wanted
    ? { ...search, low: probe, lowCount: count, requestsLeft }
    : { ...search, high: probe, highCount: count, requestsLeft };
}
