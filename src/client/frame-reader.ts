import type { ServerMessage } from '../protocol/messages.ts';
import { decodeMessage, deflatedPart } from './codec.ts';
import { inflateRaw } from './inflate.ts';

/** Maximum number of frames that wait while one is inflated. At 16 KiB a frame that is 64 MiB. A client that falls so far behind starts over. */
const WAITING_MAX = 4096;

/**
 * Converts frames to messages, in the order of arrival. Inflating is asynchronous, so frames after a deflated one wait for it. Without compression nothing
 * waits.
 */
export class FrameReader {
  readonly #onMessage: (message: ServerMessage) => void;
  readonly #onBroken: (text: string) => void;
  readonly #waiting: Uint8Array[] = [];
  #inflating = false;
  #stopped = false;

  constructor(onMessage: (message: ServerMessage) => void, onBroken: (text: string) => void) {
    this.#onMessage = onMessage;
    this.#onBroken = onBroken;
  }

  receive(frame: Uint8Array): void {
    if (this.#stopped) return;
    if (!this.#inflating) return this.#read(frame);
    if (this.#waiting.length >= WAITING_MAX) return this.#break(`${WAITING_MAX} frames wait to be inflated`);
    this.#waiting.push(frame);
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
  }

  #read(frame: Uint8Array): void {
    const deflated = deflatedPart(frame);
    if (deflated !== undefined) void this.#inflate(deflated);
    else this.#decode(frame);
  }

  async #inflate(deflated: Uint8Array): Promise<void> {
    this.#inflating = true;
    let frame: Uint8Array;
    try {
      frame = await inflateRaw(deflated);
    } catch (error) {
      return this.#break(`a frame cannot be inflated: ${(error as Error).message}`);
    }
    this.#inflating = false;
    if (this.#stopped) return;
    this.#decode(frame);
    while (this.#waiting.length > 0 && !this.#inflating) this.#read(this.#waiting.shift() as Uint8Array);
  }

  #decode(frame: Uint8Array): void {
    let message: ServerMessage;
    try {
      message = decodeMessage(frame);
    } catch (error) {
      return this.#break(`a frame cannot be read: ${(error as Error).message}`);
    }
    try {
      this.#onMessage(message);
    } catch (error) {
      // The application's callbacks do not throw here: the message violates the protocol, or this library has a bug. Both need a new connection.
      this.#break(`a message cannot be taken: ${(error as Error).message}`);
    }
  }

  #break(text: string): void {
    if (this.#stopped) return;
    this.stop();
    this.#onBroken(text);
  }
}
