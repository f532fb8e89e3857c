/** The candidate that takes the fewest edits, ignoring case; undefined where none is near enough to be what was meant. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  // A third of the letters may be wrong: further away, a suggestion misleads more than it helps.
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
