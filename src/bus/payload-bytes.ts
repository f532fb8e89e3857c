import { BusError } from './bus.ts';

/**
 * A payload's bytes, just as they lie in memory. TypeScript lets nothing but a `Uint8Array` in; an embedding program in JavaScript may hand over any view or buffer, and
 * whatever reads that by its elements would read something else.
 *
 * @throws BusError `publish_refused`
 */
export function payloadBytes(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload instanceof ArrayBuffer || payload instanceof SharedArrayBuffer) return new Uint8Array(payload);
  throw new BusError('publish_refused', `a payload is bytes, not a ${typeof payload}`);
}
