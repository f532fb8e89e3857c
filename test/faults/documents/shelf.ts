import type { NatsConnection } from '@nats-io/transport-node';
import type { BookChange, BookSource } from '../../support/order-book.ts';
import { type BookTopic, publishUntilStored } from './book-topic.ts';

/** So many of its changes remove a book. The next change of that key brings it back, as a whole. */
const REMOVED_SHARE = 0.01;

export interface ShelfOptions {
  readonly topic: string;
  /** By key. */
  readonly books: ReadonlyMap<string, BookSource>;
}

/** Publishes the books of one topic, in which each key has a document. */
export class Shelf implements BookTopic {
  readonly topic: string;
  offset = 0;
  readonly projections: ReadonlyMap<number, number> = new Map();
  readonly steady = true;
  readonly #nats: NatsConnection;
  readonly #run: string;
  #sources: Map<string, BookSource>;
  /** Keys without a book. */
  #gone = new Set<string>();
  #sent = 0;

  constructor(nats: NatsConnection, run: string, { topic, books }: ShelfOptions) {
    this.topic = topic;
    this.#nats = nats;
    this.#run = run;
    this.#sources = new Map(books);
  }

  get book(): unknown {
    return Object.fromEntries([...this.#sources].filter(([key]) => !this.#gone.has(key)).map(([key, { book }]) => [key, book]));
  }

  async begin(): Promise<void> {
    for (const [key, source] of this.#sources) await this.#publish(key, source.image());
  }

  async change(): Promise<void> {
    const keys = [...this.#sources.keys()];
    const key = keys[Math.floor(Math.random() * keys.length)] as string;
    const source = this.#sources.get(key) as BookSource;
    if (this.#gone.delete(key)) return this.#publish(key, source.image());
    if (Math.random() >= REMOVED_SHARE) return this.#publish(key, source.patch());
    this.#gone.add(key);
    return this.#publish(key, undefined);
  }

  remember(): () => void {
    const then = new Map([...this.#sources].map(([key, source]) => [key, source.copy()]));
    const gone = new Set(this.#gone);
    return () => {
      this.#sources = then;
      this.#gone = gone;
    };
  }

  /** @param change undefined: the key is removed */
  async #publish(key: string, change: BookChange | undefined): Promise<void> {
    const id = `${this.#run} ${this.topic} ${++this.#sent}`;
    this.offset = await publishUntilStored(this.#nats, `feed.${this.topic}.${key}`, id, change);
  }
}
