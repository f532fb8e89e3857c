import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { BookChange, BookSource } from '../../support/order-book.ts';
import { mergeInto } from './merge-into.ts';

type Levels = Readonly<Record<string, string | null>>;

/** One change of a real book, as an exchange sent it, with its checksum of the book after it. Of a whole book (`image`) there is none. */
interface Line {
  readonly symbol: string;
  readonly image?: true;
  readonly bids?: Levels;
  readonly asks?: Levels;
  readonly checksum?: number;
}

type RecordedBook = Omit<Line, 'symbol' | 'image'>;

/** Levels of each side in the checksum. */
const CHECKED_LEVELS = 10;

/** Whether the checksum that a book carries is that of its best levels. */
export function isRecordedRight(book: unknown): boolean {
  return (book as RecordedBook).checksum === checksumOf(book as RecordedBook);
}

/** CRC32 over the best asks from the lowest and the best bids from the highest: of each the price and the size, without the point and leading zeros. */
function checksumOf({ asks = {}, bids = {} }: RecordedBook): number {
  const digits = (text: string) => text.replace('.', '').replace(/^0+/, '');
  const textOf = (levels: Levels, best: readonly string[]) => best.map((price) => digits(price) + digits(levels[price] as string)).join('');
  return crc32(textOf(asks, bestOf(asks, 1)) + textOf(bids, bestOf(bids, -1)));
}

/** The prices that come first, without sorting all. */
function bestOf(levels: Levels, order: 1 | -1): string[] {
  const best: { readonly price: string; readonly rank: number }[] = [];
  for (const price in levels) {
    const rank = order * Number(price);
    const last = best[CHECKED_LEVELS - 1];
    if (last !== undefined && rank >= last.rank) continue;
    let at = Math.min(best.length, CHECKED_LEVELS - 1);
    for (; at > 0 && (best[at - 1]?.rank ?? 0) > rank; at--) best[at] = best[at - 1] as (typeof best)[0];
    best[at] = { price, rank };
  }
  return best.map(({ price }) => price);
}

/** Plays the recorded changes of one book, again from the beginning at the end. */
export class RecordedSource implements BookSource {
  readonly #lines: readonly Line[];
  #next: number;
  #book: unknown;

  constructor(lines: readonly Line[], next = 0, book: unknown = undefined) {
    this.#lines = lines;
    this.#next = next;
    this.#book = book;
  }

  get book(): unknown {
    return structuredClone(this.#book);
  }

  image(): BookChange {
    this.#next = 0;
    return this.patch();
  }

  patch(): BookChange {
    const { symbol: _, image = false, ...change } = this.#lines[this.#next++ % this.#lines.length] as Line;
    if (!image) {
      this.#book = mergeInto(this.#book, change);
      return { patch: change, image };
    }
    this.#book = { ...structuredClone(change), checksum: checksumOf(change) };
    return { patch: this.#book, image };
  }

  copy(): RecordedSource {
    return new RecordedSource(this.#lines, this.#next, this.book);
  }
}

/** The books of a file, one change a line, by symbol. Each begins with a whole book. @throws Error if one does not */
export function readRecordedBooks(path: string): ReadonlyMap<string, RecordedSource> {
  const bySymbol = new Map<string, Line[]>();
  for (const text of readFileSync(path, 'utf8').split('\n')) {
    if (text === '') continue;
    const line = JSON.parse(text) as Line;
    const known = bySymbol.get(line.symbol);
    if (known !== undefined) known.push(line);
    else if (line.image) bySymbol.set(line.symbol, [line]);
    else throw new Error(`${path}: ${line.symbol} does not begin with a whole book`);
  }
  return new Map([...bySymbol].map(([symbol, lines]) => [symbol, new RecordedSource(lines)]));
}
