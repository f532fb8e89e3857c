import { CLOSE_CODES, CLOSE_REASON_TEXTS } from '../protocol/close-codes.ts';
import type { Headers } from './cors.ts';
import { beginText, closedText, eventOf, HEARTBEAT, typeOf } from './event-text.ts';
import { refusal, writeHead } from './http-answer.ts';
import type { ClientSocket } from './transport.ts';
import type { HttpResponse } from './uws.ts';

export interface EventSocketOptions {
  readonly res: HttpResponse;
  readonly headers: Headers;
  /** From this number of waiting bytes on, what is sent is dropped. */
  readonly fullBytes: number;
  readonly events: {
    /** It has dropped something. */
    dropped(): void;
    /** Its peer has read something. */
    drained(): void;
    closed(code: number, reason: string): void;
    /** It was ended before it began, with this status. */
    refused(status: number, why: string): void;
    full(isFull: boolean): void;
  };
}

const ABNORMAL = 1006;
/** Bytes that a stream adds to the first write, about. */
const RESUME = Buffer.from(':\n');

/** The HTTP status for a stream that is ended before it began, by its close code. */
const STATUS: Readonly<Record<number, number>> = {
  [CLOSE_CODES.unauthorized]: 401,
  [CLOSE_CODES.replaced]: 403,
  [CLOSE_CODES.tooManyErrors]: 429,
  [CLOSE_CODES.tokenRevoked]: 401,
  [CLOSE_CODES.tokenExpired]: 401,
};

/**
 * A stream of events (server-sent events): an HTTP answer that does not end. Each frame is an event. It begins when the client is accepted: until then the
 * answer can still be a refusal with its HTTP status, which a browser does not repeat.
 *
 * uWebSockets does not say how much waits for the socket of an answer. It says that it could not pass on everything, for the write after that. So what
 * waits is counted from then on, until uWebSockets can write again.
 */
export class EventSocket implements ClientSocket {
  readonly isNative = false;
  readonly #options: EventSocketOptions;
  #res: HttpResponse | undefined;
  /** What is sent before it begins. */
  #held: Uint8Array[] | undefined = [];
  #heldBytes = 0;
  #bufferedBytes = 0;
  #isCorked = false;

  constructor(options: EventSocketOptions) {
    const { res } = options;
    this.#options = options;
    this.#res = res;
    res.onAborted(() => this.#over(ABNORMAL, ''));
    res.onWritable(() => this.#writable());
  }

  get isOpen(): boolean {
    return this.#res !== undefined;
  }

  get bufferedBytes(): number {
    return this.#res === undefined ? 0 : this.#bufferedBytes + this.#heldBytes;
  }

  send(frame: Uint8Array, _binary: boolean, eventId?: string): boolean {
    if (this.#res === undefined) return false;
    if (this.bufferedBytes > this.#options.fullBytes) {
      this.#options.events.dropped();
      return false;
    }
    if (this.#held !== undefined && !this.#begin(frame)) return true;
    outgoing.add(this, eventOf(frame), eventId);
    if (!this.#isCorked) this.flush();
    return true;
  }

  cork(work: () => void): void {
    if (this.#res === undefined) return;
    this.#isCorked = true;
    try {
      work();
    } finally {
      this.#isCorked = false;
    }
    this.flush();
  }

  join(): void {
    throw new Error('a stream of events is in no shard');
  }

  leave(): void {}

  publishToOthers(): void {
    throw new Error('a stream of events publishes nothing');
  }

  /** A peer does not answer it. That the socket takes it must do. */
  ping(): void {
    if (this.#res === undefined || this.#held !== undefined || this.#bufferedBytes > 0) return;
    this.#write(HEARTBEAT);
    if (this.#bufferedBytes === 0) this.#options.events.drained();
  }

  end(code: number, reason: string): void {
    const res = this.#res;
    if (res === undefined) return;
    if (this.#held !== undefined) this.#refuse(res, code, reason);
    else if (this.#bufferedBytes > 0) return this.#cut(code, reason);
    else {
      this.flush();
      this.#write(Buffer.from(closedText(code, reason)));
      res.cork(() => res.end());
    }
    this.#over(code, reason);
  }

  /** Its peer is silent anyway. While something waits for its socket, that it takes nothing is what is known. */
  cut(): void {
    if (this.#bufferedBytes > 0) this.#cut(CLOSE_CODES.tooSlow, CLOSE_REASON_TEXTS.tooSlow);
    else this.#cut(ABNORMAL, '');
  }

  /** Called once a second while it is full: uWebSockets cuts an answer that cannot be written to for 10 s, also on a line that is only slow. */
  stayOpen(): void {
    this.#res?.pause();
    this.#res?.resume();
  }

  /** Writes what {@link send} has collected. */
  flush(): void {
    const bytes = outgoing.take(this);
    if (bytes !== undefined && this.#res !== undefined) this.#write(bytes);
  }

  /** @returns whether it has begun */
  #begin(frame: Uint8Array): boolean {
    const held = this.#held as Uint8Array[];
    if (typeOf(frame) !== 'connected') {
      held.push(frame);
      this.#heldBytes += frame.length;
      return false;
    }
    const res = this.#res as HttpResponse;
    this.#held = undefined;
    this.#heldBytes = 0;
    res.cork(() => {
      writeHead(res, 200, this.#options.headers);
      res.write(beginText());
    });
    for (const one of held) outgoing.add(this, eventOf(one), undefined);
    return true;
  }

  #cut(code: number, reason: string): void {
    const res = this.#res;
    this.#over(code, reason);
    res?.close();
  }

  #write(bytes: Uint8Array): void {
    if (this.#pass(this.#res as HttpResponse, bytes)) return;
    if (this.#bufferedBytes === 0) this.#options.events.full(true);
    this.#bufferedBytes += bytes.length;
  }

  /** @returns true, as uWebSockets wants it */
  #writable(): boolean {
    const res = this.#res;
    if (res === undefined || this.#held !== undefined) return true;
    // uWebSockets goes on with what waits only when something is written.
    const isWhole = this.#pass(res, RESUME);
    if (isWhole && this.#bufferedBytes > 0) this.#options.events.full(false);
    if (isWhole) this.#bufferedBytes = 0;
    // Also where not all has left: a peer that reads slowly is alive.
    this.#options.events.drained();
    return true;
  }

  /** @returns whether the socket took everything that waits */
  #pass(res: HttpResponse, bytes: Uint8Array): boolean {
    let isWhole = false;
    res.cork(() => {
      isWhole = res.write(bytes);
    });
    return isWhole;
  }

  #refuse(res: HttpResponse, code: number, reason: string): void {
    const status = STATUS[code] ?? 503;
    const error = this.#held?.map((frame) => JSON.parse(Buffer.from(frame).toString())).find(({ type }) => type === 'error');
    const { headers, body } = refusal(error?.code ?? 'unavailable', error?.message ?? reason, { ...error, status });
    res.cork(() => {
      writeHead(res, status, { ...this.#options.headers, ...headers, 'Content-Type': 'application/json' });
      res.end(body, true);
    });
    this.#options.events.refused(status, reason);
  }

  #over(code: number, reason: string): void {
    if (this.#res === undefined) return;
    this.#res = undefined;
    outgoing.take(this);
    if (this.#bufferedBytes > 0) this.#options.events.full(false);
    this.#options.events.closed(code, reason);
  }
}

/** What is collected for one write: the events of a stream, each with its id. There is one at a time, because a cork runs to its end. */
class OutgoingEvents {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;
  #owner: EventSocket | undefined;

  add(owner: EventSocket, event: Uint8Array, eventId: string | undefined): void {
    if (this.#owner !== owner) this.#owner?.flush();
    this.#owner = owner;
    const idBytes = eventId === undefined ? 0 : eventId.length + 5;
    this.#reserve(idBytes + event.length);
    if (eventId !== undefined) this.#length += this.#buffer.write(`id: ${eventId}\n`, this.#length, 'latin1');
    this.#buffer.set(event, this.#length);
    this.#length += event.length;
  }

  /** @returns undefined: there is nothing. The bytes are valid until the next `add` */
  take(owner: EventSocket): Uint8Array | undefined {
    if (this.#owner !== owner) return undefined;
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#owner = undefined;
    this.#length = 0;
    return bytes;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(needed)));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

const outgoing = new OutgoingEvents();
