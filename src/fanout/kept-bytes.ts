/**
 * Bytes that stay for long, in very many pieces. Up to {@link TEXT_BYTES_MAX} they are a string with one character a byte: it has 20 bytes around it, and the
 * garbage collector moves such strings together. A Buffer has 96 around it, and a small one is cut off 8 KB that stay for as long as any of it is kept. Longer
 * ones are Buffers with memory of their own. Either has as many bytes as its `length`.
 */
export type KeptBytes = string | Uint8Array;

/** Strings are in the heap, whose size is limited, and Buffers are not. */
const TEXT_BYTES_MAX = 1024;

/** A copy. */
export function keepBytes(bytes: Buffer): KeptBytes {
  if (bytes.length <= TEXT_BYTES_MAX) return bytes.toString('latin1');
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
  return typeof kept === 'string' ? Buffer.from(kept, 'latin1') : Buffer.from(kept.buffer, kept.byteOffset, kept.length);
}
