import { unpackMsgpack } from './msgpack-codec.ts';

/**
 * Decodes a message of another node, which any program with the permission can send.
 *
 * @param schema compiled
 * @returns undefined: it has more than `bytesMax`, is no MessagePack, or does not match the schema
 */
export function unpackChecked<T>(data: Uint8Array, schema: { Check(value: unknown): boolean }, bytesMax: number): T | undefined {
  if (data.length > bytesMax) return undefined;
  try {
    const value = unpackMsgpack(data);
    return schema.Check(value) ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
