import { BusError } from './bus-error.ts';

/**
 * The bytes of a payload, in memory order. TypeScript permits only a `Uint8Array`; an embedding program in JavaScript may pass any view or buffer, and reading
 * it by its elements would give something else.
 *
 * @throws BusError `publish_refused`
 */
export function payloadBytes(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload instanceof ArrayBuffer || payload instanceof SharedArrayBuffer) return new Uint8Array(payload);
  throw new BusError('publish_refused', `a payload is bytes, not a ${typeof payload}`);
}
