import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import type { BookChange, BookSource } from '../../support/order-book.ts';
import { projectionHash } from './projection.ts';

const RETRY_MS = 200;
const IMAGE = headers();
IMAGE.set('Stentor-Image', 'true');

export interface BookOptions {
  readonly source: BookSource;
  readonly slowness?: number;
}

/** Publishes one book: as a whole once, and then mostly changes. A publication is sent again under the same id until it is acknowledged. */
export class BookTopic {
  readonly topic: string;
  /** Of the last publication. */
  offset = 0;
  /** By offset, of the members that some readers select. */
  readonly projections = new Map<number, number>();
  /** It changes so many times less often than other books. */
  readonly slowness: number;
  #source: BookSource;
  readonly #nats: NatsConnection;
  readonly #run: string;
  #sent = 0;

  constructor(topic: string, nats: NatsConnection, run: string, { source, slowness = 1 }: BookOptions) {
    this.topic = topic;
    this.slowness = slowness;
    this.#source = source;
    this.#nats = nats;
    this.#run = run;
  }

  get book(): unknown {
    return this.#source.book;
  }

  begin(): Promise<void> {
    return this.#publish(this.#source.image());
  }

  change(): Promise<void> {
    return this.#publish(this.#source.patch());
  }

  /** @returns what puts the book back to what it is now */
  remember(): () => void {
    const then = this.#source.copy();
    return () => {
      this.#source = then;
      this.projections.clear();
    };
  }

  async #publish({ patch, image }: BookChange): Promise<void> {
    const msgID = `${this.#run} ${this.topic} ${++this.#sent}`;
    for (;;) {
      try {
        const options = { msgID, timeout: 2000, ...(image && { headers: IMAGE }) };
        this.offset = (await jetstream(this.#nats).publish(`feed.${this.topic}`, JSON.stringify(patch), options)).seq;
        this.projections.set(this.offset, projectionHash(this.book));
        return;
      } catch {
        await sleep(RETRY_MS);
      }
    }
  }
}

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

  /** @param books by topic. @param run its id: part of the ids of its publications */
  static async begin(url: string, books: ReadonlyMap<string, BookOptions>, run: string): Promise<BookFeed> {
    const nats = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    const feed = new BookFeed(
      [...books].map(([name, options]) => new BookTopic(name, nats, run, options)),
      nats,
    );
    await Promise.all(feed.topics.map((topic) => topic.begin()));
    return feed;
  }

  /** So many changes of each book, one after the other. */
  async change(count: number): Promise<void> {
    await Promise.all(
      this.topics.map(async (topic) => {
        for (let n = 0; n < count / topic.slowness; n++) await topic.change();
      }),
    );
  }

  /** Publishes until {@link pause}, so many a second of each book at most. */
  start(ratePerSecond: number): void {
    this.#running = true;
    this.#loops = this.topics.map(async (topic) => {
      while (this.#running) {
        await topic.change();
        await sleep((1000 * topic.slowness) / ratePerSecond);
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
