import { joinBytes } from './bytes.ts';

/** Maximum size of an inflated frame. The server creates frames of 16 KiB, and a single item has at most 1 MiB. */
const INFLATED_BYTES_MAX = 8 * 1024 * 1024;

interface Transform {
  readonly writable: { getWriter(): { write(chunk: Uint8Array): Promise<void>; close(): Promise<void> } };
  readonly readable: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<void> } };
}
type TransformConstructor = new (format: string) => Transform;

function decompressor(): TransformConstructor | undefined {
  return (globalThis as { DecompressionStream?: TransformConstructor }).DecompressionStream;
}

export function canInflate(): boolean {
  return decompressor() !== undefined;
}

/** @throws Error for bytes that are not deflated, or inflate to more than the limit */
export async function inflateRaw(deflated: Uint8Array): Promise<Uint8Array> {
  const Decompressor = decompressor() as TransformConstructor;
  const { writable, readable } = new Decompressor('deflate-raw');
  const writer = writable.getWriter();
  // Invalid bytes reject these too; the reader reports it.
  writer.write(deflated).catch(() => {});
  writer.close().catch(() => {});
  const reader = readable.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    const chunk = value as Uint8Array;
    chunks.push(chunk);
    length += chunk.length;
    if (length <= INFLATED_BYTES_MAX) continue;
    reader.cancel().catch(() => {});
    throw new Error(`a frame inflates to more than ${INFLATED_BYTES_MAX} bytes`);
  }
  return joinBytes(chunks);
}
