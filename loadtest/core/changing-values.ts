import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Values of one topic, each whole and as what changed from the one before: made up, or from files (`$BENCH_DATA`). */
export interface ChangingValues {
  readonly name: string;
  readonly key: string | null;
  next(): { readonly value: object; readonly patch: object };
}

type Levels = Record<string, string | null>;

/** A tick: small, and nearly all of it changes. */
function ticks(folder: string | undefined): ChangingValues {
  const lines = linesOf(folder, 'eurusd-ticks.csv')?.slice(1);
  let n = 0;
  let price = 1.08;
  return {
    name: 'ticks',
    key: 'EURUSD',
    next() {
      price += (Math.random() - 0.5) / 10_000;
      const made = [`20260101 00000${String(n).padStart(4, '0')}`, price.toFixed(5), (price + 0.00012).toFixed(5), '0.0'];
      const [time, bid, ask, volume] = lines?.[n % lines.length]?.split(',') ?? made;
      n++;
      const value = { time, bid, ask, volume };
      return { value, patch: value };
    },
  };
}

/** A match: its score, both teams with a count for each player, and what happened last. An event changes a few of them. */
function match(folder: string | undefined): ChangingValues {
  const events = linesOf(folder, 'match-events.ndjson')?.map((line) => JSON.parse(line));
  const players = Object.fromEntries(Array.from({ length: 22 }, (_, i) => [`player ${i}`, { passes: 0, shots: 0, fouls: 0, minutes: 90 }]));
  let n = 0;
  return {
    name: 'match',
    key: null,
    next() {
      const made = { atMs: n * 1700, type: n % 7 === 0 ? 'Shot' : 'Pass', player: `player ${n % 22}`, team: n % 2 ? 'home' : 'away' };
      const { atMs, type, player, team, location } = events?.[n % events.length] ?? made;
      n++;
      const before = players[player ?? ''] ?? { passes: 0, shots: 0, fouls: 0, minutes: 90 };
      const field = type === 'Shot' ? 'shots' : type === 'Foul Committed' ? 'fouls' : 'passes';
      const after = { ...before, [field]: before[field] + 1 };
      players[player ?? ''] = after;
      const last = { atMs, type, team, player: player ?? '', location: location ?? [] };
      return {
        value: { home: 'Barcelona', away: 'Alavés', score: [0, 0], events: n, last, players: { ...players } },
        patch: { events: n, last, players: { [player ?? '']: { [field]: after[field] } } },
      };
    },
  };
}

/** An order book of so many levels a side. An update changes a few. */
function book(folder: string | undefined, levels: number): ChangingValues {
  const all = linesOf(folder, 'kraken-books.ndjson')?.map((line) => JSON.parse(line));
  const lines = all?.filter(({ symbol }) => symbol === all[0].symbol);
  let at = 0;
  const sides: { bids: Levels; asks: Levels } = { bids: {}, asks: {} };
  const size = () => (Math.random() * 10).toFixed(8);
  const price = (side: 'bids' | 'asks', level: number) => (side === 'bids' ? 64_000 - level / 2 : 64_000.5 + level / 2).toFixed(1);
  for (const side of ['bids', 'asks'] as const) for (let i = 0; i < levels; i++) sides[side][price(side, i)] = size();
  const change = (patch: { bids: Levels; asks: Levels }) => {
    for (const side of ['bids', 'asks'] as const) {
      for (const [name, value] of Object.entries(patch[side])) {
        if (value === null) delete sides[side][name];
        else sides[side][name] = value;
      }
    }
  };
  return {
    name: lines === undefined ? `book of ${levels}` : 'book',
    key: null,
    next() {
      const line = lines?.[at++ % lines.length];
      const one = (side: 'bids' | 'asks') => {
        const name = price(side, Math.floor(Math.random() ** 3 * levels));
        return { [name]: sides[side][name] !== undefined && Math.random() < 0.3 ? null : size() };
      };
      const patch = line === undefined ? { bids: one('bids'), asks: one('asks') } : { bids: line.bids ?? {}, asks: line.asks ?? {} };
      if (line?.image) Object.assign(sides, { bids: {}, asks: {} });
      change(patch);
      return { value: { bids: { ...sides.bids }, asks: { ...sides.asks }, n: at }, patch: { ...patch, n: at } };
    },
  };
}

function linesOf(folder: string | undefined, file: string): string[] | undefined {
  if (folder === undefined || !existsSync(join(folder, file))) return undefined;
  return readFileSync(join(folder, file), 'utf8').trim().split('\n');
}

export function changingValues(folder = process.env.BENCH_DATA): ChangingValues[] {
  return [ticks(folder), match(folder), book(folder, 25), ...(folder === undefined ? [book(folder, 250)] : [])];
}

export function largeBook(): ChangingValues {
  return book(undefined, 250);
}
