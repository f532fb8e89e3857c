/** `20200101 170000065`, a format of market data vendors, in UTC. The milliseconds are optional. */
const COMPACT = /^(\d{4})(\d{2})(\d{2})[ T](\d{2})(\d{2})(\d{2})(\d{3})?Z?$/;
const ISO = /^\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?(Z|[+-]\d{2}:?\d{2})?$/;
const MILLISECONDS = /^-?\d+(\.\d+)?$/;

/**
 * Parses a time of a file → milliseconds. Accepts a number of milliseconds (since 1970 or any other origin, because only differences matter), ISO 8601, or
 * `YYYYMMDD HHMMSSmmm`. Without a zone it is UTC, so that a file plays the same everywhere.
 */
export function parseTimeMs(value: unknown): number | undefined {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (MILLISECONDS.test(text)) return Number(text);
  return parseCompact(text) ?? parseIso(text);
}

function parseCompact(text: string): number | undefined {
  const found = COMPACT.exec(text);
  if (found === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0] = found.slice(1).map((digits) => Number(digits ?? 0));
  const timeMs = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  const date = new Date(timeMs);
  // Date.UTC normalizes: the 31st of February would become the 3rd of March.
  const isValid = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return isValid ? timeMs : undefined;
}

function parseIso(text: string): number | undefined {
  const found = ISO.exec(text);
  if (found === null) return undefined;
  const dated = text.replace(' ', 'T').replace(',', '.');
  const timeMs = Date.parse(found[1] === undefined && dated.includes('T') ? `${dated}Z` : dated);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
