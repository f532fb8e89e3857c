import { isDeepStrictEqual } from 'node:util';
import { BookGenerator } from '../../support/order-book.ts';
import { copyStore } from '../../support/store-copy.ts';
import { until } from '../../support/until.ts';
import { BookFeed } from '../documents/book-feed.ts';
import { BookReader } from '../documents/book-reader.ts';
import type { FaultRun } from '../fault-run.ts';
import type { RestartableNode } from '../restartable-node.ts';
import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

const NAMESPACE = 'books';
/** Publications that the log keeps of a book. Its only whole publication is gone soon: only images prove what the book is. */
const COUNT_MAX = 1000;
const QUICK = { countMax: 300, topics: 2, ratePerSecond: 40 };
const settingsFor = (countMax: number) => ({
  workers: 1,
  namespaces: { [NAMESPACE]: { public: true, state: 'document', slowConsumer: 'conflate', history: { maxCount: countMax } } },
  'tuning.hub.imageIntervalMs': 1000,
  'tuning.hub.topicLingerMs': 0,
});
const LEVELS = 60;
const RATES = [undefined, 1, 5, 20];

export const documents: Scenario = {
  number: 28,
  title:
    'order books, whose only whole publication the log has removed: kill -9 of a node, of both, of NATS; nodes restarted; store rolled back',
  pass: 'after every message every book has its checksum; at the end it is the producer’s; 0 books without a state',
  size: { clients: 200, ratePerSecond: 100, topics: 4, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const nats = await run.nats();
    const { countMax, topics, ratePerSecond } = size.quick ? QUICK : { ...size, countMax: COUNT_MAX };
    const settings = settingsFor(countMax);
    const nodes = [await run.node([nats.url], { settings }), await run.node([nats.url], { settings })];
    const names = Array.from({ length: topics }, (_, i) => `${NAMESPACE}.t${i}`);
    const feed = await BookFeed.begin(nats.url, names, String(run.seed), () => new BookGenerator(LEVELS));
    run.onEnd(() => feed.close());
    const readers = new Readers(run, feed, nodes);
    run.onEnd(() => readers.stop());
    readers.add(size.clients);
    await readers.haveAll('at the beginning');
    await feed.change(countMax + countMax / 2);
    await readers.haveAll('after the whole publications are gone');

    const [first, second] = nodes as [RestartableNode, RestartableNode];
    const during = async (what: string, fault: () => Promise<void>) => {
      feed.start(ratePerSecond);
      await seconds(size.quick ? 1 : 3);
      const atMs = monoMs();
      await fault();
      await feed.pause();
      readers.add(names.length);
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
    readers.add(names.length);
    await readers.haveAll('after the rollback', epochs);
    readers.judge();
  },
};

/** Everybody who reads books, of all nodes. */
class Readers {
  readonly #run: FaultRun;
  readonly #feed: BookFeed;
  readonly #nodes: readonly RestartableNode[];
  readonly #readers: BookReader[] = [];

  constructor(run: FaultRun, feed: BookFeed, nodes: readonly RestartableNode[]) {
    this.#run = run;
    this.#feed = feed;
    this.#nodes = nodes;
  }

  add(count: number): void {
    const { topics } = this.#feed;
    for (let i = 0; i < count; i++) {
      const n = this.#readers.length;
      this.#readers.push(
        new BookReader({
          topic: topics[n % topics.length]?.topic ?? '',
          ports: this.#nodes.map(({ port }) => port),
          encoding: n % 2 === 0 ? 'json' : 'msgpack',
          maxRateHz: RATES[Math.floor(n / 2) % RATES.length],
        }),
      );
    }
  }

  /** By topic. */
  epochs(): ReadonlyMap<string, string> {
    return new Map(this.#readers.map(({ topic, follower }) => [topic, follower.epoch]));
  }

  /** Everybody has the producer's books. @param not epochs that are over, by topic */
  async haveAll(when: string, not: ReadonlyMap<string, string> = new Map()): Promise<void> {
    for (const { topic, offset, book } of this.#feed.topics) {
      const readers = this.#readers.filter((reader) => reader.topic === topic);
      await until(`${topic} at ${offset} ${when}`, () => readers.every((reader) => reader.has(offset, not.get(topic)))).catch(() => {
        const behind = readers.filter((reader) => !reader.has(offset, not.get(topic)));
        this.#run.fail(
          `${behind.length} readers of ${topic} do not have ${offset} ${when}: ${behind.map(({ follower }) => follower.offset)}`,
        );
      });
      const others = readers.filter(({ follower }) => !isDeepStrictEqual(follower.document, book)).length;
      this.#run.expect(others === 0, `${others} readers of ${topic} have another book than the producer ${when}`);
    }
    this.#run.say(`${when}: ${this.#readers.length} readers`);
  }

  judge(): void {
    const sum = (of: (reader: BookReader) => number) => this.#readers.reduce((total, reader) => total + of(reader), 0);
    this.#run.none({
      wrongBooks: sum(({ follower }) => follower.wrong),
      gaps: sum(({ follower }) => follower.gaps),
      unavailable: sum(({ unavailable }) => unavailable),
    });
    this.#run.figure(
      'checks',
      sum(({ follower }) => follower.checks),
    );
    this.#run.figure(
      'pairs',
      sum(({ follower }) => follower.pairs),
    );
    this.#run.figure(
      'reconnects',
      sum(({ reconnects }) => reconnects),
    );
    this.#run.figure(
      'notRecovered',
      sum(({ notRecovered }) => notRecovered),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.stop()));
  }
}
