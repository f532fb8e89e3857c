import { BookGenerator, isRight } from '../../support/order-book.ts';
import { copyStore } from '../../support/store-copy.ts';
import { BookFeed } from '../documents/book-feed.ts';
import type { BookReader } from '../documents/book-reader.ts';
import { BookReaders } from '../documents/book-readers.ts';
import type { BookOptions } from '../documents/book-topic.ts';
import { isRecordedRight, readRecordedBooks } from '../documents/recorded-books.ts';
import { Unrest } from '../documents/unrest.ts';
import type { FaultRun } from '../fault-run.ts';
import type { RestartableNode } from '../restartable-node.ts';
import type { Scenario, Size } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

const NAMESPACE = 'books';
/** One topic with a book for each key. */
const SHELVES = 'shelves';
const SHELF = `${SHELVES}.all`;
const SHELF_BOOKS = 12;
/** Publications that the log keeps of a book. Its only whole publication is gone soon: only images prove what the book is. */
const COUNT_MAX = 1000;
const QUICK = { countMax: 300, topics: 2, ratePerSecond: 40, checks: 2000 };
const settingsFor = (countMax: number) => ({
  workers: 1,
  namespaces: {
    [NAMESPACE]: { public: true, state: 'document', slowConsumer: 'conflate', history: { maxCount: countMax } },
    [SHELVES]: {
      public: true,
      state: 'keyed',
      patch: true,
      slowConsumer: 'conflate',
      history: { maxCount: Math.ceil(countMax / SHELF_BOOKS) },
    },
  },
  'tuning.hub.imageIntervalMs': 1000,
  'tuning.hub.topicLingerMs': 0,
});
const LEVELS = 60;
/** One more book, with a text in every change, for readers that are too slow for it. */
const WIDE = { topic: `${NAMESPACE}.wide`, chars: 40_000, readers: 8 };
/** Changes of it between two looks whether they have fallen behind; and at most: 64 MB, more than the kernel buffers for a socket. */
const FLOOD = { changes: 20, changesMax: 1600 };

export const documents: Scenario = {
  number: 28,
  title:
    'order books, whose only whole publication the log has removed: cuts, slow and late readers; kill -9 of a node, of both, of NATS; nodes restarted; store rolled back',
  pass: 'after every message every book has its checksum; at the end it is the producer’s; 0 books without a state',
  size: { clients: 200, ratePerSecond: 100, topics: 4, quick: false, checks: 250_000 },
  timeoutMs: 1_400_000,
  async execute(run, size) {
    const nats = await run.nats();
    const { countMax, ratePerSecond, checks } = size.quick ? QUICK : { ...size, countMax: COUNT_MAX };
    const settings = settingsFor(countMax);
    const nodes = [await run.node([nats.url], { settings }), await run.node([nats.url], { settings })];
    const recorded = size.books === undefined ? undefined : readRecordedBooks(size.books);
    const feed = await BookFeed.begin(nats.url, recorded === undefined ? madeUp(size) : booksOf(recorded), String(run.seed), {
      topic: SHELF,
      books: new Map(Array.from({ length: SHELF_BOOKS }, (_, i) => [`b${i}`, new BookGenerator(LEVELS)])),
    });
    run.onEnd(() => feed.close());
    const ports = nodes.map(({ port }) => port);
    const rightOf = (topic: string) => (recorded?.has(topic.slice(NAMESPACE.length + 1)) ? isRecordedRight : isRight);
    const readers = new BookReaders({ run, feed, ports, shelf: SHELF, rightOf });
    run.onEnd(() => readers.stop());
    readers.add(size.clients);
    await readers.haveAll('at the beginning');
    await feed.change(countMax + countMax / 2);
    await readers.haveAll('after the whole publications are gone');
    const live = new Live({ run, nodes, feed, readers, ratePerSecond });
    if (checks !== undefined) await live.check(checks / 2, !size.quick);

    const [first, second] = nodes as [RestartableNode, RestartableNode];
    const topics = feed.topics.length;
    const during = async (what: string, fault: () => Promise<void>) => {
      feed.start(ratePerSecond);
      await seconds(size.quick ? 1 : 3);
      const atMs = monoMs();
      await fault();
      await feed.pause();
      readers.add(topics);
      await readers.haveAll(what);
      run.figure(`${what.replaceAll(' ', '')}Ms`, monoMs() - atMs);
    };
    await during('node killed', async () => {
      await first.kill9();
      await first.start();
    });
    await during('node restarted', async () => {
      await second.stop();
      await second.start();
    });
    await during('nats killed', async () => {
      await nats.kill9();
      await nats.restart();
    });
    await during('both nodes killed', async () => {
      await Promise.all(nodes.map((node) => node.kill9()));
      await feed.pause();
      await Promise.all(nodes.map((node) => node.start()));
    });

    // Images are younger than the copy, and those in the copy are older than what clients have.
    const restoreBooks = feed.remember();
    const copy = await copyStore(nats);
    await feed.change(countMax / 3);
    await readers.haveAll('before the rollback');
    const epochs = readers.epochs();
    await Promise.all(nodes.map((node) => node.kill9()));
    await copy.restore();
    restoreBooks();
    await feed.change(50);
    await Promise.all(nodes.map((node) => node.start()));
    readers.add(topics);
    await readers.haveAll('after the rollback', epochs);
    if (checks !== undefined) await live.check(checks / 2, !size.quick);
    run.figure('floods', live.floods);
    run.expect(size.quick || readers.lagged > 0, 'no slow reader was told that it lags');
    readers.judge();
  },
};

function madeUp({ quick, topics }: Size): Map<string, BookOptions> {
  const names = Array.from({ length: quick ? QUICK.topics : topics }, (_, i) => `${NAMESPACE}.t${i}`);
  const books = new Map<string, BookOptions>(names.map((name) => [name, { source: new BookGenerator(LEVELS) }]));
  return quick ? books : withWide(books);
}

function booksOf(recorded: ReturnType<typeof readRecordedBooks>): Map<string, BookOptions> {
  return withWide(new Map([...recorded].map(([symbol, source]) => [`${NAMESPACE}.${symbol}`, { source }])));
}

function withWide(books: Map<string, BookOptions>): Map<string, BookOptions> {
  const { topic, chars } = WIDE;
  return books.set(topic, { source: new BookGenerator(LEVELS, chars), steady: false });
}

interface LiveOptions {
  readonly run: FaultRun;
  readonly nodes: readonly RestartableNode[];
  readonly feed: BookFeed;
  readonly readers: BookReaders;
  readonly ratePerSecond: number;
}

/** Books that change while readers are cut, are slow, and come late. */
class Live {
  readonly #options: LiveOptions;
  #floods = 0;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /** How often slow readers were given too much. */
  get floods(): number {
    return this.#floods;
  }

  /** At least so many times more. @param hasSlow there is a large book, and readers that are too slow for it */
  async check(more: number, hasSlow: boolean): Promise<void> {
    const { run, feed, readers, ratePerSecond } = this.#options;
    const slow = hasSlow ? readers.addOf(WIDE.readers, WIDE.topic) : [];
    const unrest = new Unrest(readers, { readers: slow, flood: () => this.#flood(slow) });
    feed.start(ratePerSecond);
    const checks = readers.checks + more;
    let saidAt = readers.checks;
    const floods = this.#floods;
    // At least once around with the slow readers.
    while (readers.checks < checks || (hasSlow && this.#floods === floods)) {
      await seconds(1);
      if (readers.checks < saidAt + more / 10) continue;
      saidAt = readers.checks;
      run.say(`${saidAt} checks`);
    }
    await unrest.stop();
    await feed.pause();
    await readers.haveAll('after cuts, and with slow and late readers');
    for (const reader of slow) await readers.remove(reader);
  }

  /** Until all of them have fallen behind and missed something, however much the kernel buffers, and however busy the machine is. */
  async #flood(slow: readonly BookReader[]): Promise<void> {
    const wide = this.#options.feed.topics.find(({ topic }) => topic === WIDE.topic);
    if (wide === undefined || slow.length === 0) return;
    let lagging = 0;
    for (let changes = 0; changes < FLOOD.changesMax && lagging < slow.length; changes += FLOOD.changes) {
      lagging = await this.#lagging();
      for (let n = 0; n < FLOOD.changes; n++) await wide.change();
    }
    this.#floods++;
  }

  /** Members of the large book, at all nodes, that their sockets keep waiting. */
  async #lagging(): Promise<number> {
    const { nodes } = this.#options;
    const answer = await (nodes[0] as RestartableNode).get(`/api/topics?sort=name&prefix=${WIDE.topic}`);
    const { topics } = (await answer.json()) as { readonly topics: readonly { readonly topic: string; readonly lagging: number }[] };
    return topics.find(({ topic }) => topic === WIDE.topic)?.lagging ?? 0;
  }
}
