import { crc32 } from 'node:zlib';
import { mergePatch } from './document-fixtures.ts';

/** A book that a test makes up: price → size as texts, and a checksum over all of it. */
export interface Book {
  readonly bids?: Readonly<Record<string, string>>;
  readonly asks?: Readonly<Record<string, string>>;
  /** Text, or a map, and back: what merge patches alone cannot compose. */
  readonly status?: unknown;
  readonly note?: string;
  readonly checksum?: number;
}

export interface BookChange {
  readonly patch: unknown;
  readonly image: boolean;
}

/** Where the changes of a book come from, made up or recorded. */
export interface BookSource {
  /** As it is after the last change; it does not change any more. */
  readonly book: unknown;
  /** The whole book. */
  image(): BookChange;
  /** The next change; of recorded books also a whole one. */
  patch(): BookChange;
  /** Another one, which goes on from here too. */
  copy(): BookSource;
}

/** Whether the checksum that a book carries is that of its content. */
export function isRight(book: unknown): boolean {
  const { checksum, ...content } = book as Book;
  return checksum === checksumOf(content);
}

function checksumOf({ bids, asks, status, note = '' }: Omit<Book, 'checksum'>): number {
  const side = (levels: Book['bids']) =>
    levels === undefined
      ? 'none'
      : Object.keys(levels)
          .sort()
          .map((price) => `${price}:${levels[price]}`)
          .join();
  return Number(crc32(`${side(bids)}|${side(asks)}|${textOfStatus(status)}|${note}`));
}

function textOfStatus(status: unknown): string {
  if (typeof status !== 'object' || status === null) return JSON.stringify(status) ?? 'none';
  const map = status as Record<string, unknown>;
  return `{${Object.keys(map)
    .sort()
    .map((name) => `${name}:${textOfStatus(map[name])}`)
    .join()}}`;
}

const pick = <T>(...choices: readonly T[]): T => choices[Math.floor(Math.random() * choices.length)] as T;
const decimal = (max: number, digits: number) => (Math.random() * max).toFixed(digits);

/** Makes changes up, by Math.random, which tests seed. Each has the checksum of the book after it. */
export class BookGenerator implements BookSource {
  readonly #levels: number;
  readonly #noteChars: number;
  readonly #keepsSides: boolean;
  #book: Omit<Book, 'checksum'> = {};

  /** @param levels prices of a side, about. @param noteChars of a text that every change has, for slow readers. @param keepsSides no change removes a side */
  constructor(levels: number, noteChars = 0, keepsSides = false) {
    this.#levels = levels;
    this.#noteChars = noteChars;
    this.#keepsSides = keepsSides;
  }

  get book(): Book {
    return { ...this.#book, checksum: checksumOf(this.#book) };
  }

  /** Another one, with the same book. */
  copy(): BookGenerator {
    const other = new BookGenerator(this.#levels, this.#noteChars, this.#keepsSides);
    other.#book = this.#book;
    return other;
  }

  image(): BookChange {
    this.#book = { bids: this.#side(), asks: this.#side(), status: this.#status() };
    return { patch: this.book, image: true };
  }

  next(): BookChange {
    return Math.random() < 0.005 ? this.image() : this.patch();
  }

  patch(): BookChange {
    return this.#patched(this.#change());
  }

  /** One map in the place of another. Only a pair composes the two. */
  *replacement(): Iterable<BookChange> {
    yield this.#patched({ status: null });
    yield this.#patched({ status: { auction: { price: decimal(9, 2) } } });
  }

  #patched(change: Record<string, unknown>): BookChange {
    const note = this.#noteChars > 0 && { note: String.fromCharCode(97 + Math.floor(Math.random() * 26)).repeat(this.#noteChars) };
    const patch = { ...change, ...note };
    this.#book = mergePatch(this.#book, patch) as Book;
    return { patch: { ...patch, checksum: checksumOf(this.#book) }, image: false };
  }

  #change(): Record<string, unknown> {
    const change = Math.random();
    if (change < 0.02 && !this.#keepsSides) return { [pick('bids', 'asks')]: null };
    if (change < 0.06) return { status: null };
    if (change < 0.2) return { status: this.#status() };
    const levels = Array.from({ length: 1 + Math.floor(Math.random() * 6) }, () => [this.#price(), pick(null, decimal(10, 8))]);
    return { [pick('bids', 'asks')]: Object.fromEntries(levels) };
  }

  #status(): unknown {
    return pick<unknown>(
      'open',
      'halted',
      { phase: 'auction' },
      { phase: null, until: '10.30' },
      { auction: { price: decimal(9, 2) } },
      {},
    );
  }

  #side(): Record<string, string> {
    return Object.fromEntries(Array.from({ length: this.#levels }, () => [this.#price(), decimal(10, 8)]));
  }

  #price(): string {
    return (100 + Math.floor(Math.random() * 2 * this.#levels) / 10).toFixed(1);
  }
}
