/** The candidate with the fewest edits, ignoring case; undefined if none is similar enough. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  // Up to a third of the letters may differ. Beyond that a suggestion misleads more than it helps.
  let best = Math.max(2, Math.floor(text.length / 3)) + 1;
  let found: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(text.toLowerCase(), candidate.toLowerCase());
    if (distance >= best) continue;
    best = distance;
    found = candidate;
  }
  return found;
}

export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
