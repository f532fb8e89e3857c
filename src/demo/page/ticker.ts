import type { Client, Item, Stats } from '../../client/index.ts';
import { byId, type Cell, fillPairs, fillTable, setText } from '../../http/page/dom.ts';
import { formatNumber } from '../../telemetry/format.ts';
import { COMPANIES, type Tick } from '../ticker.ts';
import { FAST_TICKS_TOPIC, TICKS_TOPIC } from '../topics.ts';
import { PriceChart } from './chart.ts';
import { PriceHistory } from './price-history.ts';

/** Rates that the server grants. The last one is no limit: every update. */
const RATES_HZ = [0.5, 1, 2, 5, 10, 20, undefined] as const;
/** Enough for one company's share of 1,000 a second during half a minute. */
const POINTS_MAX = 8192;
const QUOTES_EVERY_MS = 250;

type TimedTick = Tick & { readonly atMs: number };

/** Prices of fictional companies: one as a chart, all in a table. The user chooses the rate. */
export class Ticker {
  readonly #client: Client;
  readonly #histories = new Map<string, PriceHistory>();
  readonly #latest = new Map<string, Tick>();
  readonly #chart: PriceChart;
  #stop = () => {};
  #updates = 0;
  #before: { readonly conflated: number; readonly atMs: number } = { conflated: 0, atMs: performance.now() };

  constructor(client: Client) {
    this.#client = client;
    this.#chart = new PriceChart(
      () => this.#history(byId<HTMLSelectElement>('symbol').value),
      () => Date.now() + (client.stats().clockOffsetMs ?? 0),
    );
    for (const { symbol, name } of COMPANIES) byId('symbol').append(new Option(`${symbol}, ${name}`, symbol));
    byId('rate').addEventListener('input', () => this.#subscribe());
    for (const radio of document.querySelectorAll('input[name="speed"]')) radio.addEventListener('change', () => this.#subscribe());
    client.on('state', ({ status }) => {
      if (status !== 'connected') this.#broken();
    });
    setInterval(() => this.#showQuotes(), QUOTES_EVERY_MS);
    this.#subscribe();
  }

  /** Called once a second. */
  showFigures({ conflated }: Stats): void {
    const nowMs = performance.now();
    const seconds = (nowMs - this.#before.atMs) / 1000;
    const { count, longestMs } = this.#chart.takeFrames();
    fillPairs(byId('ticker-figures'), [
      ['updates a second', formatNumber(this.#updates / seconds)],
      ['left out a second', formatNumber((conflated - this.#before.conflated) / seconds)],
      ['frames a second', formatNumber(Math.round(count / seconds))],
      ['longest frame', `${longestMs.toFixed(0)} ms`],
    ]);
    this.#updates = 0;
    this.#before = { conflated, atMs: nowMs };
  }

  /** Subscribes as the controls say. Another rate needs another subscription, because a client has one per topic. */
  #subscribe(): void {
    this.#stop();
    this.#broken();
    const fast = document.querySelector<HTMLInputElement>('input[name="speed"][value="fast"]')?.checked === true;
    const topic = fast ? FAST_TICKS_TOPIC : TICKS_TOPIC;
    const slider = byId<HTMLInputElement>('rate');
    const maxRateHz = RATES_HZ[Number(slider.value)];
    const text = maxRateHz === undefined ? 'every update' : `${maxRateHz} a second`;
    setText(byId('ticker-topic'), topic);
    setText(byId('rate-text'), text);
    slider.setAttribute('aria-valuetext', text);
    const options = { snapshot: true, ...(maxRateHz !== undefined && { maxRateHz }) };
    this.#stop = this.#client.topic<TimedTick>(topic, options).subscribe((item) => this.#receive(item));
  }

  /** What follows is another stream, or the same one after a pause. For the time in between, a keyed topic delivers only the latest prices. */
  #broken(): void {
    for (const history of this.#histories.values()) history.break();
  }

  #receive({ data, source }: Item<TimedTick>): void {
    this.#latest.set(data.symbol, data);
    // The initial state of a stream may be old.
    if (source === 'snapshot') return;
    this.#updates++;
    this.#history(data.symbol).push(data.atMs, data.price);
  }

  #history(symbol: string): PriceHistory {
    const known = this.#histories.get(symbol);
    if (known !== undefined) return known;
    const history = new PriceHistory(POINTS_MAX);
    if (COMPANIES.some((company) => company.symbol === symbol)) this.#histories.set(symbol, history);
    return history;
  }

  #showQuotes(): void {
    const rows = COMPANIES.map(({ symbol, name }): Cell[] => {
      const tick = this.#latest.get(symbol);
      const change = tick?.changePercent ?? 0;
      return [
        { text: symbol },
        { text: name },
        { text: tick === undefined ? '–' : tick.price.toFixed(2), className: 'number' },
        {
          text: tick === undefined ? '–' : `${change > 0 ? '+' : ''}${change.toFixed(2)}%`,
          className: `number ${change < 0 ? 'down' : 'up'}`,
        },
      ];
    });
    fillTable(byId('quotes'), rows, '');
  }
}
