import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Packr } from 'msgpackr';
import { WebSocket } from 'ws';
import type { ServerMessage } from '../../../src/protocol/messages.ts';
import { decodeFrame } from '../../support/decode-frame.ts';
import { DocumentFollower } from '../../support/document-follower.ts';
import { KeyedFollower } from '../../support/keyed-follower.ts';
import { mergeInto } from './merge-into.ts';
import { FIELDS, projectionHash } from './projection.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true });
const RETRY_MS = 100;

export interface BookReaderOptions {
  readonly topic: string;
  readonly ports: readonly number[];
  readonly encoding: 'json' | 'msgpack';
  readonly maxRateHz?: number | undefined;
  /** Large documents come in parts. */
  readonly parts: boolean;
  /** The topic has a document for each key. */
  readonly ofKeys: boolean;
  /** Only some members, whose projection is compared with the producer's. */
  readonly fields: boolean;
  readonly isRight: (book: unknown) => boolean;
}

/** A client that follows one book for good: when its connection ends, it goes on at any node from its position. It checks the book after every message. */
export class BookReader {
  readonly topic: string;
  readonly follower: DocumentFollower | KeyedFollower;
  /** Subscribes that were answered without a state. */
  unavailable = 0;
  notRecovered = 0;
  reconnects = -1;
  /** Messages that it was too slow. */
  lagged = 0;
  /** With `fields`: what it had at each offset, until it has been compared. */
  seen: [offset: number, projection: number][] = [];
  readonly #options: BookReaderOptions;
  #socket: WebSocket | undefined;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(options: BookReaderOptions) {
    this.topic = options.topic;
    this.#options = options;
    const { topic, ofKeys, fields, isRight } = options;
    const isKept = (book: unknown) => this.seen.push([this.follower.offset, projectionHash(book)]) > 0;
    this.follower = ofKeys ? new KeyedFollower(topic, isRight) : new DocumentFollower(topic, fields ? isKept : isRight, mergeInto);
    this.#running = this.#run();
  }

  /** Whether it has everything up to this offset, in this epoch of the log or another than `not`. */
  has(offset: number, not = ''): boolean {
    return this.follower.offset >= offset && this.follower.epoch !== not;
  }

  /** Whether it has this book, as far as it selects of it. */
  isAt(book: unknown): boolean {
    const document = this.follower instanceof KeyedFollower ? this.follower.all : this.follower.document;
    return this.#options.fields ? projectionHash(document) === projectionHash(book) : isDeepStrictEqual(document, book);
  }

  /** Ends its connection, without a word. */
  cut(): void {
    this.#socket?.terminate();
  }

  /** Takes nothing from its socket until {@link resume}. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.cut();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#follow().catch(() => undefined);
      if (!this.#stopped) await sleep(RETRY_MS);
    }
  }

  async #follow(): Promise<void> {
    const { ports, topic, encoding, maxRateHz, parts, fields } = this.#options;
    const port = ports[Math.floor(Math.random() * ports.length)];
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, [`stentor.v1.${encoding}`], { perMessageDeflate: false });
    this.#socket = socket;
    const closed = once(socket, 'close');
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer, isBinary) => this.#receive(decodeFrame(data, isBinary)));
    socket.once('open', () => {
      const { epoch, offset } = this.follower;
      const since = offset >= 0 ? { since: { epoch, offset } } : {};
      const subscribe = {
        type: 'subscribe',
        id: 1,
        topic,
        parts,
        ...(fields && { fields: FIELDS }),
        ...(maxRateHz !== undefined && { maxRateHz }),
        ...since,
      };
      socket.send(encoding === 'json' ? JSON.stringify(subscribe) : packr.pack(subscribe));
    });
    await closed;
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case 'subscribed':
        if (message.state === 'unavailable') this.unavailable++;
        if (this.follower.offset >= 0 && !message.recovered) this.notRecovered++;
        this.reconnects++;
        break;
      case 'lagged':
        this.lagged++;
        break;
      case 'error':
        // Not ready yet: it asks again.
        return this.cut();
    }
    this.follower.takeOne(message);
  }
}
