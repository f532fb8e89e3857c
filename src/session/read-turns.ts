import type { Connection } from './connection.ts';
import type { InFlight } from './in-flight.ts';

/** A message as it came, and when: it may be read later. */
export interface InboundMessage {
  /** A copy: uWS takes its buffer back when its handler returns. */
  readonly bytes: Uint8Array;
  /** The connection has sent more bytes than it may, and may go on after so long; 0: it has not. */
  readonly bytesWaitMs: number;
  readonly atMs: number;
}

/** What a connection has sent and nobody has read yet, oldest first. */
export interface Unread {
  readonly messages: InboundMessage[];
  bytes: number;
}

type Reader = Pick<Connection, 'unread' | 'end'>;

export interface ReadTurnsOptions<C extends Reader> {
  /** After so long no more is begun in a loop turn. */
  readonly turnMs: number;
  readonly unreadBytesPerConnectionMax: number;
  readonly inFlight: InFlight;
  /** Reads one message. Must not throw. */
  readonly read: (connection: C, message: InboundMessage) => void;
  readonly nowMs?: () => number;
}

/** Objects of a message that waits; without them empty messages would be free. */
const OVERHEAD_BYTES = 128;

/**
 * How much of a loop turn goes into what clients say. A message may hold a thousand commands, so fifty connections can send more within their limits than a
 * worker can do. What comes when the turn's time is over waits, as the bytes that it came as, and is read in later turns: one message of each connection
 * after the other, in order for each. So those who send much wait for each other, and what members are sent goes out between.
 */
export class ReadTurns<C extends Reader> {
  readonly #options: ReadTurnsOptions<C>;
  readonly #nowMs: () => number;
  /** Connections with something unread, each once, the next one first. */
  #queue: C[] = [];
  #spentMs = 0;
  #armed = false;
  #bytes = 0;

  constructor(options: ReadTurnsOptions<C>) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Bytes that wait, of all connections. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads the message now, or later. A connection that has sent far more than is read in turn is closed with 4102. */
  take(connection: C, message: InboundMessage): void {
    this.#arm();
    const { unread } = connection;
    if (unread === undefined && this.#spentMs < this.#options.turnMs) return this.#read(connection, message);
    const bytes = message.bytes.length + OVERHEAD_BYTES;
    // One waits in any case, however large messages may be.
    if (unread !== undefined && unread.bytes + bytes > this.#options.unreadBytesPerConnectionMax) return this.#endTooFast(connection);
    if (!this.#options.inFlight.keep(bytes)) {
      // Nothing more may wait. Reading it refuses it with `busy`; but never before what came earlier.
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

  /** The connection has closed: nobody reads what it sent. */
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
    const startMs = this.#nowMs();
    this.#options.read(connection, message);
    this.#spentMs += this.#nowMs() - startMs;
  }

  #forgetBytes(bytes: number): void {
    this.#bytes -= bytes;
    this.#options.inFlight.forget(bytes);
  }

  /** A turn begins anew with the next `setImmediate`, which comes after all that the sockets brought. */
  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      this.#spentMs = 0;
      while (this.#queue.length > 0 && this.#spentMs < this.#options.turnMs) this.#readNext();
      if (this.#queue.length > 0) this.#arm();
    });
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
