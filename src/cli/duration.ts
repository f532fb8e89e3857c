import { badValue } from './errors.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `10m`, `1h`, `7d`, `500ms` → milliseconds. @param name of the option. @throws CliError `usage` */
export function parseDuration(name: string, text: string, maxMs = Number.MAX_SAFE_INTEGER): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  const durationMs = Number(count) * (UNITS_MS[unit ?? ''] ?? Number.NaN);
  if (!(durationMs > 0)) throw badValue(name, text, 'expected a number with ms, s, m, h or d, for example 90s or 1h');
  if (durationMs > maxMs) throw badValue(name, text, `expected at most ${maxMs / 1000}s`);
  return durationMs;
}
