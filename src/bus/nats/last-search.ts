/**
 * Finds an offset from which to read a topic's last `wanted` publications, because a log can be read forward only. At or after the offset there must be
 * `wanted` of the topic, and not many more. Each count of the publications from an offset costs a request.
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

/** Maximum number of requests. Half of them halve the range, which is enough for 16 million offsets. An evenly distributed topic takes one or two. */
const REQUESTS_MAX = 48;

/** Extra publications that are read are discarded. This many are cheaper than another request. */
function isCloseEnough({ wanted, lowCount }: LastSearch): boolean {
  return lowCount <= 2 * wanted + 256;
}

/** @param count number of the topic's publications from `first` to `last` */
export function beginLastSearch(wanted: number, first: number, last: number, count: number): LastSearch {
  return { wanted, low: first, lowCount: count, high: last + 1, highCount: 0, requestsLeft: REQUESTS_MAX };
}

/** The offset to request next; undefined: start reading from `low`. */
export function nextProbe(search: LastSearch): number | undefined {
  const { wanted, low, lowCount, high, highCount, requestsLeft } = search;
  if (isCloseEnough(search) || requestsLeft === 0 || high - low <= 1) return undefined;
  // Assumes an even distribution between the two, with a quarter more than wanted, so that a small error does not matter. Otherwise every second request
  // halves the range.
  const perOffset = (lowCount - highCount) / (high - low);
  const even = high - Math.ceil((wanted * 1.25 + 8 - highCount) / perOffset);
  const guess = requestsLeft % 2 === 0 ? even : Math.floor((low + high) / 2);
  return Math.min(Math.max(guess, low + 1), high - 1);
}

/** @param count number of the topic's publications from `probe` on */
export function narrow(search: LastSearch, probe: number, count: number): LastSearch {
  const requestsLeft = search.requestsLeft - 1;
  return count >= search.wanted
    ? { ...search, low: probe, lowCount: count, requestsLeft }
    : { ...search, high: probe, highCount: count, requestsLeft };
}
