import type { Owner } from '../delivery/shares.ts';
import type { CloseReason } from '../protocol/close-codes.ts';
import { Lines } from '../telemetry/lines.ts';
import { TurnTime } from '../telemetry/turn-time.ts';
import type { InFlight } from './in-flight.ts';

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

/**
 * The reading of a message with many commands, step by step. Between two steps it may stop for this loop turn. If a step gives a promise, the next one waits until
 * it has been settled.
 */
export type Reading = Iterator<Promise<unknown> | undefined, void>;

/** What a connection has sent and has not been read yet, oldest first. */
export interface Unread {
  readonly messages: InboundMessage[];
  bytes: number;
  /** In whose line it waits: the connection's owner when it began to wait. */
  owner: Owner;
  /** Of the message before these, which has been begun. */
  begun?: Reading | undefined;
  /** It is in no line, because that waits for something. */
  isBlocked?: boolean;
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
  /** Reads one message. @returns undefined: it has been read */
  readonly read: (connection: C, message: InboundMessage) => Reading | undefined;
  /** Reading has thrown. Must end the connection. */
  readonly failed: (connection: C, error: Error) => void;
  readonly nowMs?: () => number;
}

/** Memory for the objects of a waiting message; without it empty messages would not count. */
const OVERHEAD_BYTES = 128;

/**
 * Limits the time of a loop turn for messages of clients. A message may contain a thousand commands, so fifty connections can send more within their limits
 * than a worker can handle. When the time of the turn is used up, further messages wait, as bytes, and are read in later turns: one message of each owner in
 * turn, of its connections in turn, and in order for each connection. A message with many commands is divided: the next turn goes on with it, so at most one is
 * kept decoded. So clients that send much delay each other, and those of one owner mostly themselves; frames for members are sent in between. What waits is
 * bounded: who has the most is closed.
 */
export class ReadTurns<C extends Reader> {
  readonly #options: ReadTurnsOptions<C>;
  readonly #time: TurnTime;
  /** Connections with unread messages. */
  readonly #lines = new Lines<C>();
  /** Those whose next step waits for something. */
  readonly #blocked = new Lines<C>();
  /** What this turn, or the last one, had no time to finish. */
  #current: { readonly connection: C; readonly reading: Reading } | undefined;
  #bytes = 0;

  constructor(options: ReadTurnsOptions<C>) {
    const { turnMs, nowMs } = options;
    this.#options = options;
    this.#time = new TurnTime({ turnMs, nowMs, isWaiting: () => this.#isWaiting, next: () => this.#next() });
  }

  get #isWaiting(): boolean {
    return this.#current !== undefined || !this.#lines.isEmpty;
  }

  /** Waiting bytes of all connections. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads the message now, or later. Who has sent far more than can be read is closed with 4102. */
  take(connection: C, message: InboundMessage): void {
    this.#time.arm();
    const { unread } = connection;
    if (unread === undefined && this.#current === undefined && this.#time.isLeft) return this.#read(connection, message);
    const bytes = message.bytes.length + OVERHEAD_BYTES;
    // At least one message may wait, however large it is.
    if (unread !== undefined && unread.bytes > 0 && unread.bytes + bytes > this.#options.unreadBytesPerConnectionMax)
      return endTooFast(connection);
    while (!this.#options.inFlight.keep(bytes)) {
      const greediest = this.#greediest(connection, bytes);
      // What waits is not much: reading the message refuses it with `busy`.
      if (greediest === undefined) return this.#readOutOfTurn(connection, message);
      endTooFast(greediest);
      this.forget(greediest);
      if (greediest === connection) return;
    }
    this.#wait(connection, message, bytes);
  }

  /** The connection has closed: its unread messages are dropped. */
  forget(connection: C): void {
    if (this.#current?.connection === connection) this.#current = undefined;
    const { unread } = connection;
    if (unread === undefined) return;
    connection.unread = undefined;
    this.#lines.remove(unread.owner, connection);
    this.#blocked.remove(unread.owner, connection);
    this.#forgetBytes(unread.bytes);
    unread.begun?.return?.();
  }

  #wait(connection: C, message: InboundMessage, bytes: number): void {
    connection.unread ??= { messages: [], bytes: 0, owner: connection.owner };
    const { unread } = connection;
    unread.messages.push(message);
    unread.bytes += bytes;
    this.#bytes += bytes;
    if (unread.isBlocked !== true) this.#lines.add(unread.owner, connection);
  }

  /**
   * Of the owner with the most that waits, the connection with the most, if this one is to keep so many bytes more. Undefined: it is this one, of which nothing
   * waits yet.
   */
  #greediest(asking: C, bytes: number): C | undefined {
    const own = { connection: asking, most: (asking.unread?.bytes ?? 0) + bytes, all: bytes };
    const byOwner = new Map([[asking.unread?.owner ?? asking.owner, own]]);
    for (const [owner, connections] of [...this.#lines.owners(), ...this.#blocked.owners()]) {
      for (const connection of connections) {
        const { bytes: waiting } = connection.unread as Unread;
        const known = byOwner.get(owner) ?? { connection, most: 0, all: 0 };
        known.all += waiting;
        if (waiting > known.most) Object.assign(known, { connection, most: waiting });
        byOwner.set(owner, known);
      }
    }
    let greediest = own;
    for (const one of byOwner.values()) if (one.all > greediest.all) greediest = one;
    return greediest.connection === asking && asking.unread === undefined ? undefined : greediest.connection;
  }

  #forgetBytes(bytes: number): void {
    this.#bytes -= bytes;
    this.#options.inFlight.forget(bytes);
  }

  #next(): void {
    if (this.#current !== undefined) return this.#time.spend(() => this.#step());
    const connection = this.#lines.take() as C;
    const unread = connection.unread as Unread;
    const { begun } = unread;
    unread.begun = undefined;
    const message = begun === undefined ? this.#shift(unread) : undefined;
    if (unread.messages.length === 0) connection.unread = undefined;
    else this.#lines.add(unread.owner, connection);
    if (message !== undefined) return this.#read(connection, message);
    this.#current = { connection, reading: begun as Reading };
    this.#time.spend(() => this.#step());
  }

  #shift(unread: Unread): InboundMessage {
    const message = unread.messages.shift() as InboundMessage;
    const bytes = message.bytes.length + OVERHEAD_BYTES;
    unread.bytes -= bytes;
    this.#forgetBytes(bytes);
    return message;
  }

  #read(connection: C, message: InboundMessage): void {
    let isRead = false;
    this.#time.spend(() => {
      if (isRead) return this.#step();
      isRead = true;
      const reading = this.#try(connection, () => this.#options.read(connection, message));
      if (reading !== undefined) this.#current = { connection, reading };
      return reading !== undefined;
    });
  }

  /** All of it, to be refused. What is being read goes on after it. */
  #readOutOfTurn(connection: C, message: InboundMessage): void {
    const current = this.#current;
    this.#read(connection, message);
    while (this.#current !== undefined && this.#current !== current) this.#step();
    this.#current = current;
  }

  /** @returns whether there is another step, which may be done now */
  #step(): boolean {
    const current = this.#current as { readonly connection: C; readonly reading: Reading };
    const { connection, reading } = current;
    const step = this.#try(connection, () => reading.next());
    // It has closed the connection.
    if (this.#current !== current) return false;
    if (step?.done === false && step.value === undefined) return true;
    this.#current = undefined;
    if (step?.done === false) this.#block(connection, reading, step.value as Promise<unknown>);
    return false;
  }

  /** What the connection sends meanwhile waits too. */
  #block(connection: C, reading: Reading, until: Promise<unknown>): void {
    connection.unread ??= { messages: [], bytes: 0, owner: connection.owner };
    const { unread } = connection;
    this.#lines.remove(unread.owner, connection);
    this.#blocked.add(unread.owner, connection);
    unread.begun = reading;
    unread.isBlocked = true;
    const goOn = () => {
      if (connection.unread !== unread) return;
      this.#blocked.remove(unread.owner, connection);
      unread.isBlocked = false;
      // It may belong to a user now.
      unread.owner = connection.owner;
      this.#lines.add(unread.owner, connection);
      this.#time.arm();
    };
    until.then(goOn, (error: Error) => {
      if (connection.unread === unread) this.#options.failed(connection, error);
    });
  }

  #try<T>(connection: C, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#options.failed(connection, error as Error);
      return undefined;
    }
  }
}

function endTooFast(connection: Reader): void {
  connection.end('rateLimited', 'more commands than are read in turn');
}
