/**
 * The items with the largest weights, largest first. Items of equal weight keep their order. It takes one pass and space for twice `max`, because there may be
 * 100,000 items, and the caller must serve sockets meanwhile.
 */
export function top<T>(items: Iterable<T>, max: number, weightOf: (item: T) => number): T[] {
  const chosen: { readonly item: T; readonly weight: number }[] = [];
  let floor = Number.NEGATIVE_INFINITY;
  const cut = () => {
    chosen.sort((a, b) => b.weight - a.weight);
    chosen.length = Math.min(chosen.length, max);
    if (chosen.length === max) floor = chosen.at(-1)?.weight ?? floor;
  };
  for (const item of items) {
    const weight = weightOf(item);
    if (weight <= floor) continue;
    chosen.push({ item, weight });
    if (chosen.length >= 2 * max) cut();
  }
  cut();
  return chosen.map(({ item }) => item);
}
