import { pick, type Random } from './random.ts';

/** One price of a fictional company. */
export interface Tick {
  readonly symbol: string;
  readonly name: string;
  readonly price: number;
  readonly bid: number;
  readonly ask: number;
  /** Change from the first price, in percent. */
  readonly changePercent: number;
  readonly volume: number;
}

export const COMPANIES = [
  { symbol: 'BRWX', name: 'Brewster Kettles', price: 41.2 },
  { symbol: 'QUIL', name: 'Quill & Ink', price: 118.75 },
  { symbol: 'LYRA', name: 'Lyra Instruments', price: 9.84 },
  { symbol: 'ORBT', name: 'Orbit Ferries', price: 256.1 },
  { symbol: 'FERN', name: 'Fernwood Paper', price: 73.33 },
  { symbol: 'ZEST', name: 'Zest Lemonades', price: 18.06 },
  { symbol: 'MOSS', name: 'Moss Quarries', price: 64.9 },
  { symbol: 'HERD', name: 'Herald Broadcasting', price: 152.4 },
] as const;

/** Largest step of one tick at one tick a second, as a share of the price. With more ticks a second the steps are smaller, so that the price moves as far. */
const STEP = 0.009;
const HALF_SPREAD = 0.0004;
/** Prices stay within these multiples of their initial value, so that the demo still looks like a market after a week. */
const FLOOR = 0.25;
const CEILING = 4;

/** A random walk over {@link COMPANIES}, one tick at a time, without end. */
export function* ticks(random: Random, perSecond: number): Generator<Tick, never> {
  const step = STEP / Math.sqrt(perSecond);
  const prices = new Map<string, number>(COMPANIES.map(({ symbol, price }) => [symbol, price]));
  while (true) {
    const company = pick(random, COMPANIES);
    const { symbol, name } = company;
    const moved = (prices.get(symbol) ?? company.price) * (1 + (random() * 2 - 1) * step);
    const price = Math.min(company.price * CEILING, Math.max(company.price * FLOOR, moved));
    prices.set(symbol, price);
    yield {
      symbol,
      name,
      price: round(price),
      bid: round(price * (1 - HALF_SPREAD)),
      ask: round(price * (1 + HALF_SPREAD)),
      changePercent: round((price / company.price - 1) * 100),
      volume: 100 * (1 + Math.floor(random() * 20)),
    };
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
