import type { CloseReason } from '../protocol/close-codes.ts';
import type { InFlight } from './in-flight.ts';
import { TurnTime } from './turn-time.ts';

/** A message, and its time of arrival, because it may be read later. */
export interface InboundMessage {
  /** A copy, because uWS reuses its buffer when the handler returns. */
  readonly bytes: Uint8Array;
  /** The connection has exceeded its rate of bytes, and may continue after this time; 0: it has not. */
  readonly bytesWaitMs: number;
  readonly atMs: number;
}

/** What a connection has sent and has not been read yet, oldest first. */
export interface Unread {
  readonly messages: InboundMessage[];
  bytes: number;
}

/** A connection whose messages are read in turn. */
export interface Reader {
  unread: Unread | undefined;
  end(reason: CloseReason, text?: string): void;
}

export interface ReadTurnsOptions<C extends Reader> {
  /** After this time, no further message is read in a loop turn. */
  readonly turnMs: number;
  readonly unreadBytesPerConnectionMax: number;
  readonly inFlight: InFlight;
  /** Reads one message. Must not throw. */
  readonly read: (connection: C, message: InboundMessage) => void;
  readonly nowMs?: () => number;
}

/** Memory for the objects of a waiting message; without it empty messages would not count. */
const OVERHEAD_BYTES = 128;

/**
 * Limits the time of a loop turn for messages of clients. A message may contain a thousand commands, so fifty connections can send more within their limits
 * than a worker can handle. When the time of the turn is used up, further messages wait, as bytes, and are read in later turns: one message per connection in
 * turn, in order for each connection. So clients that send much delay each other, and frames for members are sent in between.
 */
export class ReadTurns<C extends Reader> {
  readonly #options: ReadTurnsOptions<C>;
  readonly #time: TurnTime;
  /** Connections with unread messages, each once, the next one first. */
  #queue: C[] = [];
  #bytes = 0;

  constructor(options: ReadTurnsOptions<C>) {
    const { turnMs, nowMs } = options;
    this.#options = options;
    this.#time = new TurnTime({ turnMs, nowMs, isWaiting: () => this.#queue.length > 0, next: () => this.#readNext() });
  }

  /** Waiting bytes of all connections. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads the message now, or later. A connection that has sent far more than can be read is closed with 4102. */
  take(connection: C, message: InboundMessage): void {
    this.#time.arm();
    const { unread } = connection;
    if (unread === undefined && this.#time.isLeft) return this.#read(connection, message);
    const bytes = message.bytes.length + OVERHEAD_BYTES;
    // At least one message may wait, however large it is.
    if (unread !== undefined && unread.bytes + bytes > this.#options.unreadBytesPerConnectionMax) return this.#endTooFast(connection);
    if (!this.#options.inFlight.keep(bytes)) {
      // Nothing more may wait. Reading the message refuses it with `busy`, but not before earlier messages are read.
      return unread === undefined ? this.#read(connection, message) : this.#endTooFast(connection);
    }
    this.#bytes += bytes;
    if (unread === undefined) {
      connection.unread = { messages: [message], bytes };
      this.#queue.push(connection);
    } else {
      unread.messages.push(message);
      unread.bytes += bytes;
    }
  }

  /** The connection has closed: its unread messages are dropped. */
  forget(connection: C): void {
    const { unread } = connection;
    if (unread === undefined) return;
    connection.unread = undefined;
    this.#queue = this.#queue.filter((other) => other !== connection);
    this.#forgetBytes(unread.bytes);
  }

  #endTooFast(connection: C): void {
    connection.end('rateLimited', 'more commands than are read in turn');
  }

  #read(connection: C, message: InboundMessage): void {
    const startMs = this.#time.start();
    this.#options.read(connection, message);
    this.#time.spent(startMs);
  }

  #forgetBytes(bytes: number): void {
    this.#bytes -= bytes;
    this.#options.inFlight.forget(bytes);
  }

  #readNext(): void {
    const connection = this.#queue.shift() as C;
    const unread = connection.unread as Unread;
    const message = unread.messages.shift() as InboundMessage;
    const bytes = message.bytes.length + OVERHEAD_BYTES;
    unread.bytes -= bytes;
    this.#forgetBytes(bytes);
    if (unread.messages.length === 0) connection.unread = undefined;
    else this.#queue.push(connection);
    this.#read(connection, message);
  }
}
