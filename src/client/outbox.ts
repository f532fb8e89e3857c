import type { ServerMessage } from '../protocol/messages.ts';
import { joinBytes } from './bytes.ts';
import { nowMs } from './clock.ts';
import { Pacer } from './pacer.ts';
import { Timer } from './timer.ts';

/** As stated by the server in `connected`. */
type Limits = Pick<
  ServerMessage<'connected'>['limits'],
  'messageBytesMax' | 'messagesPerSecondMax' | 'bytesPerSecondMax' | 'commandsMax' | 'commandsPerSecondMax'
>;

/** Size of the header of a MessagePack array of up to 65,535 elements. */
const ARRAY_HEADER_BYTES = 3;

/**
 * The outgoing frames of one connection, sent no faster than the server accepts them. Frames that are pushed in the same turn are sent as one array of
 * commands: a client that reconnects with a thousand topics sends one message. The queue is bounded by its users: requests and publishes have their own limits.
 */
export class Outbox {
  readonly #limits: Limits;
  readonly #pacer: Pacer;
  readonly #commandPacer: Pacer;
  readonly #send: (frame: Uint8Array) => void;
  readonly #timer = new Timer(() => this.#flush());
  #waiting: Uint8Array[] = [];
  #flushes = false;

  constructor(limits: Limits, send: (frame: Uint8Array) => void) {
    const { messagesPerSecondMax, bytesPerSecondMax, commandsPerSecondMax = messagesPerSecondMax } = limits;
    this.#limits = limits;
    this.#pacer = new Pacer(messagesPerSecondMax, nowMs(), bytesPerSecondMax);
    this.#commandPacer = new Pacer(commandsPerSecondMax, nowMs());
    this.#send = send;
  }

  push(frame: Uint8Array): void {
    this.#waiting.push(frame);
    if (this.#flushes || this.#timer.isSet) return;
    this.#flushes = true;
    void Promise.resolve().then(() => this.#flush());
  }

  /** Sends now or not at all. */
  offer(frame: Uint8Array): boolean {
    if (this.#waiting.length > 0 || this.#pacer.take(nowMs(), frame.length) > 0) return false;
    this.#send(frame);
    return true;
  }

  pause(ms: number): void {
    if (Number.isFinite(ms)) this.#pacer.pause(nowMs() + ms);
  }

  stop(): void {
    this.#timer.clear();
    this.#waiting = [];
  }

  #flush(): void {
    this.#flushes = false;
    while (this.#waiting.length > 0) {
      const fit = this.#fit();
      const waitMs = this.#pacer.take(nowMs(), fit.bytes);
      if (waitMs > 0) return this.#timer.set(waitMs);
      // A single frame is a plain message, and does not count against the limit of commands in arrays.
      let count = 1;
      while (count < fit.count && this.#commandPacer.take(nowMs()) === 0) count++;
      const frames = this.#waiting.splice(0, count);
      this.#send(count === 1 ? (frames[0] as Uint8Array) : arrayOf(frames));
    }
  }

  /** As many as fit into one message; at least one. */
  #fit(): { count: number; bytes: number } {
    const { commandsMax = 1, messageBytesMax } = this.#limits;
    let bytes = ARRAY_HEADER_BYTES;
    let count = 0;
    for (const { length } of this.#waiting) {
      if (count > 0 && (count >= commandsMax || bytes + length > messageBytesMax)) break;
      bytes += length;
      count++;
    }
    return { count, bytes };
  }
}

function arrayOf(frames: readonly Uint8Array[]): Uint8Array {
  const array = joinBytes(frames, ARRAY_HEADER_BYTES);
  array.set([0xdc, frames.length >> 8, frames.length & 255]);
  return array;
}
