/**
 * Bytes that are kept for long, in very many pieces. Up to {@link TEXT_BYTES_MAX} they are a string with one character per byte: it has an overhead of 20
 * bytes, and the garbage collector compacts such strings. A Buffer has an overhead of 96, and a small one is a part of 8 KB that stay in memory as long as any
 * part of it is kept. Longer ones are Buffers with their own memory. The `length` of both is the number of bytes.
 */
export type KeptBytes = string | Uint8Array;

/** Strings are in the heap, whose size is limited; Buffers are not. */
const TEXT_BYTES_MAX = 1024;

/** A copy. */
export function keepBytes(bytes: Uint8Array): KeptBytes {
  if (bytes.length <= TEXT_BYTES_MAX) return asBuffer(bytes).toString('latin1');
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}

/** Writes them into `target`. */
export function putBytes(kept: KeptBytes, target: Buffer, at: number): void {
  if (typeof kept === 'string') target.write(kept, at, 'latin1');
  else target.set(kept, at);
}

export function toBuffer(kept: KeptBytes): Buffer {
  return typeof kept === 'string' ? Buffer.from(kept, 'latin1') : asBuffer(kept);
}

/** A view. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
