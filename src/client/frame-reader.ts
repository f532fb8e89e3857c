import type { ServerMessage } from '../protocol/messages.ts';
import { decodeMessages } from './codec.ts';

/** Unpacks frames that came deflated, and passes all of them on in the order of their arrival. */
export interface Unpacker {
  receive(frame: Uint8Array): void;
  /** Nothing is passed on any more. */
  stop(): void;
}

/** @param pass takes a frame that is not deflated @param fail says why the connection is of no use any more */
export type NewUnpacker = (pass: (frame: Uint8Array) => void, fail: (text: string) => void) => Unpacker;

/** Converts frames to messages, in the order of arrival. Without an unpacker nothing waits. */
export class FrameReader {
  readonly #onMessage: (message: ServerMessage) => void;
  readonly #onBroken: (text: string) => void;
  readonly #unpacker: Unpacker | undefined;
  #stopped = false;

  constructor(onMessage: (message: ServerMessage) => void, onBroken: (text: string) => void, unpacker?: NewUnpacker) {
    this.#onMessage = onMessage;
    this.#onBroken = onBroken;
    this.#unpacker = unpacker?.(
      (frame) => this.#decode(frame),
      (text) => this.#break(text),
    );
  }

  receive(frame: Uint8Array): void {
    if (this.#unpacker === undefined) this.#decode(frame);
    else this.#unpacker.receive(frame);
  }

  stop(): void {
    this.#stopped = true;
    this.#unpacker?.stop();
  }

  #decode(frame: Uint8Array): void {
    if (this.#stopped) return;
    try {
      decodeMessages(frame).forEach(this.#onMessage);
    } catch (error) {
      // The application's callbacks do not throw here: the message violates the protocol, or this library has a bug. Both need a new connection.
      this.#break(`a frame cannot be read: ${(error as Error).message}`);
    }
  }

  #break(text: string): void {
    if (this.#stopped) return;
    this.stop();
    this.#onBroken(text);
  }
}
