import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type BookOptions, type BookTopic, OneBook } from './book-topic.ts';
import { Shelf, type ShelfOptions } from './shelf.ts';

/** The producers of all books of a run. */
export class BookFeed {
  readonly topics: readonly BookTopic[];
  readonly #nats: NatsConnection;
  #running = false;
  #loops: Promise<void>[] = [];

  private constructor(topics: readonly BookTopic[], nats: NatsConnection) {
    this.topics = topics;
    this.#nats = nats;
  }

  /** @param books by topic. @param shelf the books of one topic. @param run its id: part of the ids of its publications */
  static async begin(url: string, books: ReadonlyMap<string, BookOptions>, run: string, shelf?: ShelfOptions): Promise<BookFeed> {
    const nats = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    const topics = [...books].map(([name, options]) => new OneBook(name, nats, run, options));
    const feed = new BookFeed(shelf === undefined ? topics : [...topics, new Shelf(nats, run, shelf)], nats);
    await Promise.all(feed.topics.map((topic) => topic.begin()));
    return feed;
  }

  get #steady(): readonly BookTopic[] {
    return this.topics.filter(({ steady }) => steady);
  }

  /** So many changes of each steady book, one after the other. */
  async change(count: number): Promise<void> {
    await Promise.all(
      this.#steady.map(async (topic) => {
        for (let n = 0; n < count; n++) await topic.change();
      }),
    );
  }

  /** Publishes until {@link pause}, so many a second of each steady book at most. */
  start(ratePerSecond: number): void {
    this.#running = true;
    this.#loops = this.#steady.map(async (topic) => {
      while (this.#running) {
        await topic.change();
        await sleep(1000 / ratePerSecond);
      }
    });
  }

  async pause(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  remember(): () => void {
    const all = this.topics.map((topic) => topic.remember());
    return () => {
      for (const restore of all) restore();
    };
  }

  async close(): Promise<void> {
    this.#running = false;
    await this.#nats.close();
  }
}
