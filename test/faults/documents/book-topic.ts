import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import type { BookChange, BookSource } from '../../support/order-book.ts';
import { projectionHash } from './projection.ts';

const RETRY_MS = 200;
const IMAGE = headers();
IMAGE.set('Stentor-Image', 'true');

export interface BookOptions {
  readonly source: BookSource;
  readonly steady?: boolean;
}

/** A topic of the run, as its readers know it. */
export interface BookTopic {
  readonly topic: string;
  /** Of the last publication. */
  readonly offset: number;
  /** What readers have in the end: the book; of a shelf all of its books, by key. */
  readonly book: unknown;
  /** By offset, of the members that some readers select. */
  readonly projections: ReadonlyMap<number, number>;
  /** It changes with the others; false: only when somebody says so. While nobody follows a book, its log must not outlive what proves it. */
  readonly steady: boolean;
  begin(): Promise<void>;
  change(): Promise<void>;
  /** @returns what puts the book back to what it is now */
  remember(): () => void;
}

/** A publication is sent again under the same id until it is acknowledged. @returns the offset */
export async function publishUntilStored(
  nats: NatsConnection,
  subject: string,
  msgID: string,
  change: BookChange | undefined,
): Promise<number> {
  for (;;) {
    try {
      const options = { msgID, timeout: 2000, ...(change?.image && { headers: IMAGE }) };
      return (await jetstream(nats).publish(subject, change === undefined ? '' : JSON.stringify(change.patch), options)).seq;
    } catch {
      await sleep(RETRY_MS);
    }
  }
}

/** Publishes one book: as a whole once, and then mostly changes. */
export class OneBook implements BookTopic {
  readonly topic: string;
  offset = 0;
  readonly projections = new Map<number, number>();
  readonly steady: boolean;
  #source: BookSource;
  readonly #nats: NatsConnection;
  readonly #run: string;
  #sent = 0;

  constructor(topic: string, nats: NatsConnection, run: string, { source, steady = true }: BookOptions) {
    this.topic = topic;
    this.steady = steady;
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

  remember(): () => void {
    const then = this.#source.copy();
    return () => {
      this.#source = then;
      this.projections.clear();
    };
  }

  async #publish(change: BookChange): Promise<void> {
    this.offset = await publishUntilStored(this.#nats, `feed.${this.topic}`, `${this.#run} ${this.topic} ${++this.#sent}`, change);
    this.projections.set(this.offset, projectionHash(this.book));
  }
}
