/** Gauges that change while nothing happens: of memory, time and the operating system, and of what is forgotten only by age. */
const RESTLESS = /^(?:process|nodejs)_|_seconds$|^stentor_(?:follower_lag_publications|memory_limit_bytes|revocations|nodes)$/;

/** The gauges of a node that say how much there is at this moment, by name, added up over labels. @param text Prometheus' text format */
export function gaugesOf(text: string): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [, gauge] = /^# TYPE (\w+) gauge$/.exec(line) ?? [];
    if (gauge !== undefined && !RESTLESS.test(gauge)) found[gauge] = 0;
    const [, name = '', value] = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name in found) found[name] = (found[name] as number) + Number(value);
  }
  return found;
}
