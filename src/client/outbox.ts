import type { ServerMessage } from '../protocol/messages.ts';
import { joinBytes } from './bytes.ts';
import { nowMs } from './clock.ts';
import { encodeAny, encodeMessage, type Outgoing } from './codec.ts';
import { Pacer } from './pacer.ts';
import { Timer } from './timer.ts';

/** As stated by the server in `connected`. */
type Limits = Pick<
  ServerMessage<'connected'>['limits'],
  'messageBytesMax' | 'messagesPerSecondMax' | 'bytesPerSecondMax' | 'commandsMax' | 'commandsPerSecondMax'
>;

type Subscribe = Extract<Outgoing, { type: 'subscribe' }>;
type Topics = [id: number, topic: string, offset: number | null, key: string | null][];

/** Of a message: a command, or several subscribes that differ in topic, key and offset only. */
interface Part {
  /** The first command. */
  readonly frame: Uint8Array;
  readonly topics?: Topics;
  /** `subscribeMany` without topics. */
  readonly many?: object;
  readonly kind?: string;
}

/** Size of the header of a MessagePack array of up to 65,535 elements. */
const ARRAY_HEADER_BYTES = 3;
/** What `subscribeMany` with one topic has more than `subscribe`, at most. */
const MANY_BYTES = 8;

/**
 * The outgoing commands of one connection, sent no faster than the server accepts them. Those that are pushed in the same turn are sent as one message: a client
 * that reconnects with a thousand topics sends one. The queue is bounded by its users: requests and publishes have their own limits.
 */
export class Outbox {
  readonly #limits: Limits;
  readonly #pacer: Pacer;
  readonly #commandPacer: Pacer;
  readonly #send: (frame: Uint8Array) => void;
  readonly #timer = new Timer(() => this.#flush());
  #waiting: (readonly [frame: Uint8Array, command: Outgoing | undefined])[] = [];
  #flushes = false;

  constructor(limits: Limits, send: (frame: Uint8Array) => void) {
    const { messagesPerSecondMax, bytesPerSecondMax, commandsPerSecondMax = messagesPerSecondMax } = limits;
    this.#limits = limits;
    this.#pacer = new Pacer(messagesPerSecondMax, nowMs(), bytesPerSecondMax);
    this.#commandPacer = new Pacer(commandsPerSecondMax, nowMs());
    this.#send = send;
  }

  /** @param command what the frame says: subscribes that follow one another become one command */
  push(frame: Uint8Array, command?: Outgoing): void {
    this.#waiting.push([frame, command]);
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
      const waitMs = this.#pacer.take(nowMs());
      if (waitMs > 0) return this.#timer.set(waitMs);
      const frame = this.#next();
      this.#pacer.spend(frame.length);
      this.#send(frame);
    }
  }

  /** As many commands as fit into one message; at least one. A single one is a plain message, and does not count against the limit of commands in arrays. */
  #next(): Uint8Array {
    const { commandsMax = 1, messageBytesMax } = this.#limits;
    const parts: Part[] = [];
    let bytes = ARRAY_HEADER_BYTES;
    let count = 0;
    for (const [frame, command] of this.#waiting) {
      const part: Part = { frame, ...(command?.type === 'subscribe' && manyOf(command)) };
      const last = parts[parts.length - 1];
      const topics = part.kind && part.kind === last?.kind && last.topics;
      bytes += topics ? encodeAny(part.topics).length : frame.length + MANY_BYTES;
      if (count > 0 && (count >= commandsMax || bytes > messageBytesMax || this.#commandPacer.take(nowMs()) > 0)) break;
      count++;
      if (topics) topics.push(...(part.topics as Topics));
      else parts.push(part);
    }
    this.#waiting.splice(0, count);
    const frames = parts.map(({ frame, many, topics }) => (topics?.[1] ? encodeMessage({ ...many, topics } as Outgoing) : frame));
    return frames[1] ? arrayOf(frames) : (frames[0] as Uint8Array);
  }
}

function manyOf({ id, topic, key, since, ...options }: Subscribe): Omit<Part, 'frame'> {
  const many = { ...options, type: 'subscribeMany', epoch: since?.epoch };
  return { many, kind: JSON.stringify(many), topics: [[id, topic, since?.offset ?? null, key ?? null]] };
}

function arrayOf(frames: readonly Uint8Array[]): Uint8Array {
  const array = joinBytes(frames, ARRAY_HEADER_BYTES);
  array.set([0xdc, frames.length >> 8, frames.length & 255]);
  return array;
}
