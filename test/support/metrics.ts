/** A value out of Prometheus' text format, added up over all label sets that have these labels; 0 when there is none. */
export function readMetric(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let sum = 0;
  for (const line of text.split('\n')) {
    const [, metric, found = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (metric === name && wanted.every((label) => found.split(',').includes(label))) sum += Number(value);
  }
  return sum;
}
