import type { PageOfNames } from './report-types.ts';

export interface NamesPage {
  /** Of all pages. */
  readonly total: number;
  readonly names: readonly string[];
  /** Continue after this one; absent: this is the last page. */
  readonly next?: string;
}

/**
 * The first names after another one, in the order of their characters' codes. It takes one pass and the space of a page, because there may be 100,000 names,
 * and the caller must serve sockets meanwhile.
 */
export function pageOfNames(all: Iterable<string>, { prefix = '', after, limit }: PageOfNames): NamesPage {
  const names: string[] = [];
  let total = 0;
  for (const name of all) {
    if (!name.startsWith(prefix)) continue;
    total++;
    if (after !== undefined && name <= after) continue;
    // One more than the page has, to know whether it is the last one.
    if (names.length > limit && name >= (names.at(-1) as string)) continue;
    names.splice(placeOf(names, name), 0, name);
    if (names.length > limit + 1) names.pop();
  }
  const isLast = names.length <= limit;
  if (!isLast) names.pop();
  const next = isLast ? undefined : names.at(-1);
  return { total, names, ...(next !== undefined && { next }) };
}

/** Index of the first name that is not before this one. */
function placeOf(sorted: readonly string[], name: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
