const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** `12,345`; below ten, one decimal place. */
export function formatNumber(value: number): string {
  return (value < 10 ? tenths : whole).format(value);
}

/** `1 node`, `2 nodes`. */
export function counted(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : `${noun}s`}`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${formatNumber(value)} ${BYTE_UNITS[unit]}`;
}

const DURATION_UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** The two largest units: `3 d 4 h`, `2 min 5 s`, `1.2 s`. */
export function formatDuration(ms: number): string {
  let seconds = ms / 1000;
  if (seconds < 10) return `${tenths.format(seconds)} s`;
  const parts: string[] = [];
  for (const [unit, length] of DURATION_UNITS) {
    const count = Math.floor(seconds / length);
    if (count === 0 && parts.length === 0) continue;
    parts.push(`${count} ${unit}`);
    seconds -= count * length;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}
