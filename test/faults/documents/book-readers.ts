import { until } from '../../support/until.ts';
import type { FaultRun } from '../fault-run.ts';
import type { BookFeed } from './book-feed.ts';
import { BookReader, type BookReaderOptions } from './book-reader.ts';
import type { BookTopic } from './book-topic.ts';

const RATES = [undefined, 1, 5, 20];

/** Of readers that have left. */
interface Counts {
  checks: number;
  pairs: number;
  wrongBooks: number;
  gaps: number;
  unavailable: number;
  reconnects: number;
  notRecovered: number;
  lagged: number;
  joined: number;
}

const COUNTS: { readonly [K in keyof Counts]: (reader: BookReader) => number } = {
  checks: ({ follower }) => follower.checks,
  pairs: ({ follower }) => follower.pairs,
  wrongBooks: ({ follower }) => follower.wrong,
  gaps: ({ follower }) => follower.gaps,
  unavailable: ({ unavailable }) => unavailable,
  reconnects: ({ reconnects }) => Math.max(0, reconnects),
  notRecovered: ({ notRecovered }) => notRecovered,
  lagged: ({ lagged }) => lagged,
  joined: ({ follower }) => follower.joined,
};

export interface BookReadersOptions {
  readonly run: FaultRun;
  readonly feed: BookFeed;
  readonly ports: readonly number[];
  /** The topic that has a document for each key. */
  readonly shelf: string;
  /** What checks the books of a topic. */
  readonly rightOf: (topic: string) => (book: unknown) => boolean;
}

/** Everybody who reads books, of all nodes: of both encodings, and with several rates. */
export class BookReaders {
  readonly #options: BookReadersOptions;
  #readers: BookReader[] = [];
  readonly #left: Partial<Counts> = {};
  #added = 0;
  #projections = 0;
  #wrongProjections = 0;
  #unknownProjections = 0;

  constructor(options: BookReadersOptions) {
    this.#options = options;
  }

  get all(): readonly BookReader[] {
    return this.#readers;
  }

  get checks(): number {
    return this.#count('checks');
  }

  /** Messages to readers that were too slow. */
  get lagged(): number {
    return this.#count('lagged');
  }

  /** Over the steady topics in turn. */
  add(count: number): BookReader[] {
    const topics = this.#options.feed.topics.filter(({ steady }) => steady);
    return this.#addEach(count, (n) => {
      const topic = topics[n % topics.length]?.topic ?? '';
      const fields = topic !== this.#options.shelf && n % 32 >= 24;
      return { topic, maxRateHz: RATES[Math.floor(n / 2) % RATES.length], fields };
    });
  }

  /** Who get every change of one topic. */
  addOf(count: number, topic: string): BookReader[] {
    return this.#addEach(count, () => ({ topic, maxRateHz: undefined, fields: false }));
  }

  #addEach(count: number, wishOf: (n: number) => Pick<BookReaderOptions, 'topic' | 'maxRateHz' | 'fields'>): BookReader[] {
    const { ports, shelf, rightOf } = this.#options;
    const added = Array.from({ length: count }, () => {
      const n = this.#added++;
      const wish = wishOf(n);
      return new BookReader({
        ...wish,
        ports,
        encoding: n % 2 === 0 ? 'json' : 'msgpack',
        parts: n % 16 < 8,
        ofKeys: wish.topic === shelf,
        isRight: rightOf(wish.topic),
      });
    });
    this.#readers.push(...added);
    return added;
  }

  async remove(reader: BookReader): Promise<void> {
    this.#compare();
    this.#readers = this.#readers.filter((other) => other !== reader);
    await reader.stop();
    for (const name of Object.keys(COUNTS) as (keyof Counts)[]) this.#left[name] = (this.#left[name] ?? 0) + COUNTS[name](reader);
  }

  /** By topic. */
  epochs(): ReadonlyMap<string, string> {
    return new Map(this.#readers.map(({ topic, follower }) => [topic, follower.epoch]));
  }

  /** Everybody has the producer's books. @param not epochs that are over, by topic */
  async haveAll(when: string, not: ReadonlyMap<string, string> = new Map()): Promise<void> {
    const { run, feed } = this.#options;
    for (const { topic, offset, book } of feed.topics) {
      const readers = this.#readers.filter((reader) => reader.topic === topic);
      await until(`${topic} at ${offset} ${when}`, () => readers.every((reader) => reader.has(offset, not.get(topic)))).catch(() => {
        const behind = readers.filter((reader) => !reader.has(offset, not.get(topic)));
        run.fail(`${behind.length} readers of ${topic} do not have ${offset} ${when}: ${behind.map(({ follower }) => follower.offset)}`);
      });
      const others = readers.filter((reader) => !reader.isAt(book)).length;
      run.expect(others === 0, `${others} readers of ${topic} have another book than the producer ${when}`);
    }
    this.#compare();
    run.say(`${when}: ${this.#readers.length} readers, ${this.checks} checks, ${this.#count('wrongBooks')} wrong`);
  }

  judge(): void {
    const { run } = this.#options;
    run.none({ wrongProjections: this.#wrongProjections });
    run.figure('projections', this.#projections);
    run.figure('unknownProjections', this.#unknownProjections);
    run.expect(this.#projections > 0, 'no projection was compared');
    run.none({ wrongBooks: this.#count('wrongBooks'), gaps: this.#count('gaps'), unavailable: this.#count('unavailable') });
    for (const name of ['checks', 'pairs', 'reconnects', 'notRecovered', 'lagged', 'joined'] as const) run.figure(name, this.#count(name));
  }

  /** What readers of some members had, with the producer's. */
  #compare(): void {
    const topics = new Map(this.#options.feed.topics.map((topic) => [topic.topic, topic]));
    for (const { topic, seen } of this.#readers) {
      const { projections, offset: acknowledged } = topics.get(topic) as BookTopic;
      for (const [offset, projection] of seen.splice(0)) {
        const known = projections.get(offset);
        if (known === undefined && offset > acknowledged) seen.push([offset, projection]);
        // NATS was killed between storing it and acknowledging it.
        else if (known === undefined) this.#unknownProjections++;
        else if (known === projection) this.#projections++;
        else this.#wrongProjections++;
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.stop()));
  }

  #count(name: keyof Counts): number {
    return this.#readers.reduce((sum, reader) => sum + COUNTS[name](reader), this.#left[name] ?? 0);
  }
}
