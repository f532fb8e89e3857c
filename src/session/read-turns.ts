import type { Owner } from '../delivery/shares.ts';
import type { CloseReason } from '../protocol/close-codes.ts';
import { Lines } from '../telemetry/lines.ts';
import type { InFlight } from './in-flight.ts';
import { TurnTime } from './turn-time.ts';

/** A message, and its time of arrival, because it may be read later. */
export interface InboundMessage {
  /** A copy, because uWS reuses its buffer when the handler returns. */
  readonly bytes: Uint8Array;
  /** The connection has exceeded its rate of bytes, and may continue after this time; 0: it has not. */
  readonly bytesWaitMs: number;
  readonly atMs: number;
  /** One of the commands that the request for a stream of events stands for: it counts against no rate. */
  readonly ofStream?: true;
}

/** What a connection has sent and has not been read yet, oldest first. */
export interface Unread {
  readonly messages: InboundMessage[];
  bytes: number;
  /** In whose line it waits: the connection's owner when it began to wait. */
  readonly owner: Owner;
}

/** A connection whose messages are read in turn. */
export interface Reader {
  readonly owner: Owner;
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
 * than a worker can handle. When the time of the turn is used up, further messages wait, as bytes, and are read in later turns: one message of each owner in
 * turn, of its connections in turn, and in order for each connection. So clients that send much delay each other, and those of one owner mostly themselves;
 * frames for members are sent in between. What waits is bounded: who has the most is closed.
 */
export class ReadTurns<C extends Reader> {
  readonly #options: ReadTurnsOptions<C>;
  readonly #time: TurnTime;
  /** Connections with unread messages. */
  readonly #lines = new Lines<C>();
  #bytes = 0;

  constructor(options: ReadTurnsOptions<C>) {
    const { turnMs, nowMs } = options;
    this.#options = options;
    this.#time = new TurnTime({ turnMs, nowMs, isWaiting: () => !this.#lines.isEmpty, next: () => this.#readNext() });
  }

  /** Waiting bytes of all connections. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads the message now, or later. Who has sent far more than can be read is closed with 4102. */
  take(connection: C, message: InboundMessage): void {
    this.#time.arm();
    const { unread } = connection;
    if (unread === undefined && this.#time.isLeft) return this.#read(connection, message);
    const bytes = message.bytes.length + OVERHEAD_BYTES;
    // At least one message may wait, however large it is.
    if (unread !== undefined && unread.bytes + bytes > this.#options.unreadBytesPerConnectionMax) return endTooFast(connection);
    while (!this.#options.inFlight.keep(bytes)) {
      const greediest = this.#greediest(connection, bytes);
      // What waits is not much: reading the message refuses it with `busy`.
      if (greediest === undefined) return this.#read(connection, message);
      endTooFast(greediest);
      this.forget(greediest);
      if (greediest === connection) return;
    }
    this.#wait(connection, message, bytes);
  }

  /** The connection has closed: its unread messages are dropped. */
  forget(connection: C): void {
    const { unread } = connection;
    if (unread === undefined) return;
    connection.unread = undefined;
    this.#lines.remove(unread.owner, connection);
    this.#forgetBytes(unread.bytes);
  }

  #wait(connection: C, message: InboundMessage, bytes: number): void {
    connection.unread ??= { messages: [], bytes: 0, owner: connection.owner };
    const { unread } = connection;
    unread.messages.push(message);
    unread.bytes += bytes;
    this.#bytes += bytes;
    this.#lines.add(unread.owner, connection);
  }

  /**
   * Of the owner with the most that waits, the connection with the most, if this one is to keep so many bytes more. Undefined: it is this one, of which nothing
   * waits yet.
   */
  #greediest(asking: C, bytes: number): C | undefined {
    const own = asking.unread?.owner ?? asking.owner;
    let greediest = { connection: asking, all: bytes };
    for (const [owner, connections] of this.#lines.owners()) {
      let all = owner === own ? bytes : 0;
      let most = { connection: asking, bytes: owner === own ? (asking.unread?.bytes ?? 0) + bytes : 0 };
      for (const connection of connections) {
        const { bytes: waiting } = connection.unread as Unread;
        all += waiting;
        if (waiting > most.bytes) most = { connection, bytes: waiting };
      }
      if (all > greediest.all || (all === greediest.all && owner === own)) greediest = { connection: most.connection, all };
    }
    const { connection } = greediest;
    return connection === asking && asking.unread === undefined ? undefined : connection;
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
    const connection = this.#lines.take() as C;
    const unread = connection.unread as Unread;
    const message = unread.messages.shift() as InboundMessage;
    const bytes = message.bytes.length + OVERHEAD_BYTES;
    unread.bytes -= bytes;
    this.#forgetBytes(bytes);
    if (unread.messages.length === 0) connection.unread = undefined;
    else this.#lines.add(unread.owner, connection);
    this.#read(connection, message);
  }
}

function endTooFast(connection: Reader): void {
  connection.end('rateLimited', 'more commands than are read in turn');
}
