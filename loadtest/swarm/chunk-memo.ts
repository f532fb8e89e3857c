/** Below this, comparing costs as much as counting. */
const CHUNK_BYTES_MIN = 512;

/**
 * Broadcast means that thousands of connections read the same bytes. The last chunk counted is kept; the same bytes on a connection that
 * expects the same sequence count the same, and a memory comparison is far cheaper than reading 150 stamps.
 */
export class ChunkMemo {
  readonly #bytes: Buffer;
  #length = 0;
  #expected = 0;
  #items = 0;
  #frames = 0;

  constructor(chunkBytesMax: number) {
    this.#bytes = Buffer.alloc(chunkBytesMax);
  }

  /** Frames of the chunk remembered. */
  get frames(): number {
    return this.#frames;
  }

  /** Items in the chunk, or -1 when it is not the one remembered. */
  match(chunk: Buffer, length: number, expected: number): number {
    if (length !== this.#length || expected !== this.#expected) return -1;
    return chunk.compare(this.#bytes, 0, length, 0, length) === 0 ? this.#items : -1;
  }

  /** Only for a chunk of whole frames, all of items, contiguous from `expected`. */
  remember(chunk: Buffer, length: number, expected: number, items: number, frames: number): void {
    if (length < CHUNK_BYTES_MIN || length > this.#bytes.length) return;
    chunk.copy(this.#bytes, 0, 0, length);
    this.#length = length;
    this.#expected = expected;
    this.#items = items;
    this.#frames = frames;
  }
}
