import type { ServerMessage } from '../../src/protocol/messages.ts';
import { decodeFrame } from './decode-frame.ts';

/** Puts a batch together from its parts, as PROTOCOL.md tells a client to. */
export class PartJoiner {
  /** Batches that came in parts. */
  joined = 0;
  #pieces: (string | Uint8Array)[] = [];

  /** @returns the batch, with its last part */
  add({ part, parts, data }: ServerMessage<'part'>): ServerMessage | undefined {
    if (part === 1) this.#pieces = [];
    this.#pieces.push(data as string | Uint8Array);
    if (part !== this.#pieces.length) throw new Error(`part ${part} of ${parts} comes as number ${this.#pieces.length}`);
    if (part < parts) return undefined;
    this.joined++;
    const [first] = this.#pieces;
    if (typeof first === 'string') return decodeFrame(Buffer.from(this.#pieces.join('')), false);
    return decodeFrame(Buffer.concat(this.#pieces as Uint8Array[]), true);
  }
}
