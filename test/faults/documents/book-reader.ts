import { setTimeout as sleep } from 'node:timers/promises';
import { DocumentFollower } from '../../support/document-follower.ts';
import { isRight } from '../../support/order-book.ts';
import { TestClient } from '../../support/test-client.ts';

const RETRY_MS = 100;

export interface BookReaderOptions {
  readonly topic: string;
  readonly ports: readonly number[];
  readonly encoding: 'json' | 'msgpack';
  readonly maxRateHz?: number | undefined;
}

/** A client that follows one book for good: when its connection ends, it goes on at any node from its position. It checks the book after every message. */
export class BookReader {
  readonly topic: string;
  readonly follower: DocumentFollower;
  /** Subscribes that were answered without a state. */
  unavailable = 0;
  notRecovered = 0;
  reconnects = -1;
  readonly #options: BookReaderOptions;
  #client: TestClient | undefined;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(options: BookReaderOptions) {
    this.topic = options.topic;
    this.#options = options;
    this.follower = new DocumentFollower(options.topic, isRight);
    this.#running = this.#run();
  }

  /** Whether it has everything up to this offset, in this epoch of the log or another than `not`. */
  has(offset: number, not = ''): boolean {
    if (this.#client !== undefined) this.follower.take(this.#client);
    return this.follower.offset >= offset && this.follower.epoch !== not;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#client?.close().catch(() => undefined);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const client = await this.#connect().catch(() => undefined);
      if (client === undefined) {
        await sleep(RETRY_MS);
        continue;
      }
      await client.closed;
      this.follower.take(client).reconnected();
      this.#client = undefined;
    }
  }

  async #connect(): Promise<TestClient> {
    const { ports, topic, encoding, maxRateHz } = this.#options;
    const port = ports[Math.floor(Math.random() * ports.length)];
    const client = await TestClient.connect(`ws://127.0.0.1:${port}/ws`, { encoding });
    const { epoch, offset } = this.follower;
    const since = offset >= 0 && { since: { epoch, offset } };
    try {
      const answer = await client.get('subscribed', { type: 'subscribe', topic, ...(maxRateHz !== undefined && { maxRateHz }), ...since });
      if (answer.state === 'unavailable') this.unavailable++;
      if (since && !answer.recovered) this.notRecovered++;
      this.reconnects++;
      this.#client = client;
      return client;
    } catch (error) {
      await client.close();
      this.follower.reconnected();
      throw error;
    }
  }
}
