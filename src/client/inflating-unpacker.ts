import { DEFLATED_EXT_TYPE } from '../protocol/codec.ts';
import type { Unpacker } from './frame-reader.ts';
import { inflateRaw } from './inflate.ts';

/** Maximum number of frames that wait while one is inflated. At 16 KiB a frame that is 64 MiB. A client that falls so far behind starts over. */
const WAITING_MAX = 4096;

/** Inflates frames. That is asynchronous, so the frames after a deflated one wait for it. */
export class InflatingUnpacker implements Unpacker {
  readonly #pass: (frame: Uint8Array) => void;
  readonly #fail: (text: string) => void;
  readonly #waiting: Uint8Array[] = [];
  #inflating = false;
  #stopped = false;

  constructor(pass: (frame: Uint8Array) => void, fail: (text: string) => void) {
    this.#pass = pass;
    this.#fail = fail;
  }

  receive(frame: Uint8Array): void {
    if (this.#stopped) return;
    if (!this.#inflating) return this.#read(frame);
    if (this.#waiting.length >= WAITING_MAX) return this.#fail(`${WAITING_MAX} frames wait to be inflated`);
    this.#waiting.push(frame);
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
  }

  #read(frame: Uint8Array): void {
    const deflated = deflatedPart(frame);
    if (deflated === undefined) this.#pass(frame);
    else void this.#inflate(deflated);
  }

  async #inflate(deflated: Uint8Array): Promise<void> {
    this.#inflating = true;
    let frame: Uint8Array;
    try {
      frame = await inflateRaw(deflated);
    } catch (error) {
      return this.#fail(`a frame cannot be inflated: ${(error as Error).message}`);
    }
    this.#inflating = false;
    if (this.#stopped) return;
    this.#pass(frame);
    while (this.#waiting.length > 0 && !this.#inflating) this.#read(this.#waiting.shift() as Uint8Array);
  }
}

/** The deflated bytes, if the frame is one MessagePack ext (type 90). */
export function deflatedPart(frame: Uint8Array): Uint8Array | undefined {
  // ext 8, 16, 32: head byte, length, type.
  const head = frame[0] as number;
  if (head < 0xc7 || head > 0xc9) return undefined;
  const start = 2 + (1 << (head - 0xc7));
  return frame[start - 1] === DEFLATED_EXT_TYPE ? frame.subarray(start) : undefined;
}
