import { setTimeout as sleep } from 'node:timers/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Connection } from '../../src/bus/nats/connection.ts';
import type { Acknowledged } from './ledger.ts';
import { monoMs } from './time.ts';

const TICK_MS = 10;
const RETRY_MS = 200;
const ACK_TIMEOUT_MS = 2000;
/** Within the stream's dedupe window, so that sending again is safe. */
const BUDGET_MS = 55_000;
/** What is due while so many wait is published later: bounds memory while NATS is away. */
const IN_FLIGHT_MAX = 30_000;

export interface FeedOptions {
  readonly urls: readonly string[];
  readonly topics: readonly string[];
  readonly ratePerSecond: number;
  /** First id; ids of two feeds of a run must not meet. */
  readonly firstId: number;
}

/**
 * A producer with access to NATS: publishes on a schedule with a message id each, again until the log acknowledges, and writes down every acknowledgement.
 */
export class Feed {
  readonly acknowledged: Acknowledged[] = [];
  /** Never acknowledged: may or may not be stored. */
  readonly unknown: number[] = [];
  retries = 0;
  /** The longest time between two acknowledgements while publishing, on the shared clock. */
  longestStallMs = 0;
  readonly #options: FeedOptions;
  readonly #connection: Connection;
  readonly #js: JetStreamClient;
  readonly #lastOffsets: Record<string, number> = {};
  #nextId: number;
  #published = 0;
  #inFlight = 0;
  #lastAckAtMs = 0;
  #startedAtMs = 0;
  #runningMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #onIdle: (() => void) | undefined;
  #onAck: ((topic: string, offset: number, sentAtMs: number) => void) | undefined;

  private constructor(options: FeedOptions, connection: Connection) {
    this.#options = options;
    this.#connection = connection;
    this.#js = jetstream(connection.nc);
    this.#nextId = options.firstId;
  }

  static async open(options: FeedOptions): Promise<Feed> {
    const connection = {
      servers: [...options.urls],
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      reconnectJitter: 50,
      pingInterval: 1000,
      maxPingOut: 2,
      noAsyncTraces: true,
    };
    const events = { onRefused: () => undefined, onDenied: () => undefined };
    return new Feed(options, new Connection(await connect(connection), connection, events));
  }

  /** By topic, the last offset that was acknowledged. */
  get lastOffsets(): Readonly<Record<string, number>> {
    return { ...this.#lastOffsets };
  }

  /** Publications a second that were really made while it ran. */
  get achievedRate(): number {
    return this.#runningMs === 0 ? 0 : (this.#published / this.#runningMs) * 1000;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  start(): void {
    this.#startedAtMs = monoMs();
    this.#lastAckAtMs = this.#startedAtMs;
    let made = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((monoMs() - this.#startedAtMs) / 1000) * this.#options.ratePerSecond);
      for (; made < due && this.#inFlight < IN_FLIGHT_MAX; made++) void this.publish();
      this.#noteStall();
    }, TICK_MS);
  }

  /** Ends publishing; resolves when everything is acknowledged or given up. */
  async stop(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#runningMs += monoMs() - this.#startedAtMs;
    await this.#idle();
  }

  /** One publication more, on the next topic or on this one, so much larger. @returns its place, undefined when it was given up */
  async publish(topic?: string, padBytes = 0): Promise<Acknowledged | undefined> {
    const { topics } = this.#options;
    const id = this.#nextId++;
    const name = topic ?? topics[id % topics.length]!;
    this.#published++;
    this.#inFlight++;
    try {
      const acknowledged = await this.#publish(name, id, padBytes);
      if (acknowledged === undefined) this.unknown.push(id);
      else this.#note(acknowledged);
      return acknowledged;
    } finally {
      if (--this.#inFlight === 0) this.#onIdle?.();
    }
  }

  /**
   * Resolves when every topic has had something acknowledged that was first sent after this call: with the offsets of those, which clients that
   * are live again must reach.
   */
  nextOnEachTopic(): Promise<Readonly<Record<string, number>>> {
    const fromMs = monoMs();
    const offsets: Record<string, number> = {};
    return new Promise((resolve) => {
      this.#onAck = (topic, offset, sentAtMs) => {
        if (sentAtMs < fromMs || topic in offsets) return;
        offsets[topic] = offset;
        if (Object.keys(offsets).length < this.#options.topics.length) return;
        this.#onAck = undefined;
        resolve(offsets);
      };
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#connection.close();
  }

  async #publish(topic: string, id: number, padBytes: number): Promise<Acknowledged | undefined> {
    const sentAtMs = monoMs();
    const payload = JSON.stringify({ id, sentAtMs, ...(padBytes > 0 && { pad: 'x'.repeat(padBytes) }) });
    while (monoMs() - sentAtMs < BUDGET_MS && !this.#connection.nc.isClosed()) {
      // The client would keep each attempt, and send them all at once when it is back.
      await this.#connection.whenConnected();
      try {
        const { seq } = await this.#connection.request(() => {
          return this.#js.publish(`feed.${topic}`, payload, { msgID: `feed-${id}`, timeout: ACK_TIMEOUT_MS });
        });
        this.#onAck?.(topic, seq, sentAtMs);
        return { topic, id, offset: seq };
      } catch {
        this.retries++;
        await sleep(RETRY_MS);
      }
    }
    return undefined;
  }

  #note(acknowledged: Acknowledged): void {
    this.acknowledged.push(acknowledged);
    const { topic, offset } = acknowledged;
    this.#lastOffsets[topic] = Math.max(this.#lastOffsets[topic] ?? 0, offset);
    this.#noteStall();
    this.#lastAckAtMs = monoMs();
  }

  #noteStall(): void {
    if (this.#timer !== undefined) this.longestStallMs = Math.max(this.longestStallMs, monoMs() - this.#lastAckAtMs);
  }

  #idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }
}
