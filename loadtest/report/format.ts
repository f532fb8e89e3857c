import type { Spread } from '../core/stats.ts';

/** Three significant digits, and no exponent for what people read. */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return '0';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** `0.52 (0.49–0.55)`: the median, and from the least to the greatest. */
export function formatSpread({ median, min, max, count }: Spread): string {
  return count === 1 ? formatFigure(median) : `${formatFigure(median)} (${formatFigure(min)}–${formatFigure(max)})`;
}
